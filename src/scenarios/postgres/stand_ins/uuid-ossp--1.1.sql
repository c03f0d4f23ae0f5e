-- Stands in for uuid-ossp where its library cannot be loaded. RFC 9562; PostgreSQL's documentation, F.49.
\echo Use CREATE EXTENSION "uuid-ossp" to load this file. \quit

CREATE FUNCTION uuid_nil() RETURNS uuid
LANGUAGE sql IMMUTABLE STRICT PARALLEL SAFE
RETURN '00000000-0000-0000-0000-000000000000'::pg_catalog.uuid;

CREATE FUNCTION uuid_ns_dns() RETURNS uuid
LANGUAGE sql IMMUTABLE STRICT PARALLEL SAFE
RETURN '6ba7b810-9dad-11d1-80b4-00c04fd430c8'::pg_catalog.uuid;

CREATE FUNCTION uuid_ns_url() RETURNS uuid
LANGUAGE sql IMMUTABLE STRICT PARALLEL SAFE
RETURN '6ba7b811-9dad-11d1-80b4-00c04fd430c8'::pg_catalog.uuid;

CREATE FUNCTION uuid_ns_oid() RETURNS uuid
LANGUAGE sql IMMUTABLE STRICT PARALLEL SAFE
RETURN '6ba7b812-9dad-11d1-80b4-00c04fd430c8'::pg_catalog.uuid;

CREATE FUNCTION uuid_ns_x500() RETURNS uuid
LANGUAGE sql IMMUTABLE STRICT PARALLEL SAFE
RETURN '6ba7b814-9dad-11d1-80b4-00c04fd430c8'::pg_catalog.uuid;

CREATE FUNCTION uuid_generate_v4() RETURNS uuid
LANGUAGE sql VOLATILE STRICT PARALLEL SAFE
RETURN pg_catalog.gen_random_uuid();

-- The node of v1 is random, with the bit that says so, and the same for one cluster: the address of a network
-- card is not to be had here. Two within a tick are told apart by the random clock sequence.
CREATE FUNCTION uuid_generate_v1() RETURNS uuid
LANGUAGE plpgsql VOLATILE STRICT PARALLEL SAFE SET search_path = pg_catalog AS $$
DECLARE
    ticks bit(60) := (extract(epoch FROM clock_timestamp()) * 10000000 + 122192928000000000)::bigint::bit(60);
    random bytea := uuid_send(gen_random_uuid());
    node bytea := (SELECT substr(decode(md5(system_identifier::text), 'hex'), 1, 6) FROM pg_control_system());
BEGIN
    node := set_byte(node, 0, get_byte(node, 0) | 1);
    RETURN encode(
        int4send(substring(ticks FROM 29)::int)
        || substr(int4send(substring(ticks FROM 13 FOR 16)::int), 3)
        || substr(int4send(4096 | substring(ticks FROM 1 FOR 12)::int), 3)
        || set_byte(substr(random, 15, 2), 0, (get_byte(random, 14) & 63) | 128)
        || node, 'hex')::uuid;
END
$$;

CREATE FUNCTION uuid_generate_v1mc() RETURNS uuid
LANGUAGE plpgsql VOLATILE STRICT PARALLEL SAFE SET search_path = pg_catalog AS $$
DECLARE
    ticks bit(60) := (extract(epoch FROM clock_timestamp()) * 10000000 + 122192928000000000)::bigint::bit(60);
    random bytea := uuid_send(gen_random_uuid());
BEGIN
    random := set_byte(random, 0, get_byte(random, 0) | 1);
    RETURN encode(
        int4send(substring(ticks FROM 29)::int)
        || substr(int4send(substring(ticks FROM 13 FOR 16)::int), 3)
        || substr(int4send(4096 | substring(ticks FROM 1 FOR 12)::int), 3)
        || set_byte(substr(random, 15, 2), 0, (get_byte(random, 14) & 63) | 128)
        || substr(random, 1, 6), 'hex')::uuid;
END
$$;

CREATE FUNCTION uuid_generate_v3(namespace uuid, name text) RETURNS uuid
LANGUAGE plpgsql IMMUTABLE STRICT PARALLEL SAFE SET search_path = pg_catalog AS $$
DECLARE
    hash bytea := decode(md5(uuid_send(namespace) || convert_to(name, getdatabaseencoding())), 'hex');
BEGIN
    hash := set_byte(hash, 6, (get_byte(hash, 6) & 15) | 48);
    RETURN encode(set_byte(hash, 8, (get_byte(hash, 8) & 63) | 128), 'hex')::uuid;
END
$$;

-- SHA-1 (FIPS 180-4) is not among PostgreSQL's own functions. Words are bigints below 2^32.
CREATE FUNCTION uuid_generate_v5(namespace uuid, name text) RETURNS uuid
LANGUAGE plpgsql IMMUTABLE STRICT PARALLEL SAFE SET search_path = pg_catalog AS $$
DECLARE
    mask CONSTANT bigint := 4294967295;
    message bytea := uuid_send(namespace) || convert_to(name, getdatabaseencoding());
    bits bigint := length(message) * 8;
    w bigint[];
    h0 bigint := 1732584193;
    h1 bigint := 4023233417;
    h2 bigint := 2562383102;
    h3 bigint := 271733878;
    h4 bigint := 3285377520;
    a bigint;
    b bigint;
    c bigint;
    d bigint;
    e bigint;
    f bigint;
    k bigint;
    x bigint;
    at int := 0;
    hash bytea;
BEGIN
    message := message || '\x80'::bytea;
    message := message || decode(repeat('00', (120 - length(message) % 64) % 64), 'hex') || int8send(bits);
    WHILE at < length(message) LOOP
        w := NULL;
        FOR t IN 0..15 LOOP
            w[t] := (get_byte(message, at + t * 4)::bigint << 24) | (get_byte(message, at + t * 4 + 1) << 16)
                | (get_byte(message, at + t * 4 + 2) << 8) | get_byte(message, at + t * 4 + 3);
        END LOOP;
        FOR t IN 16..79 LOOP
            x := w[t - 3] # w[t - 8] # w[t - 14] # w[t - 16];
            w[t] := ((x << 1) & mask) | (x >> 31);
        END LOOP;
        a := h0;
        b := h1;
        c := h2;
        d := h3;
        e := h4;
        FOR t IN 0..79 LOOP
            IF t < 20 THEN
                f := (b & c) | ((b # mask) & d);
                k := 1518500249;
            ELSIF t < 40 THEN
                f := b # c # d;
                k := 1859775393;
            ELSIF t < 60 THEN
                f := (b & c) | (b & d) | (c & d);
                k := 2400959708;
            ELSE
                f := b # c # d;
                k := 3395469782;
            END IF;
            x := ((((a << 5) & mask) | (a >> 27)) + f + e + k + w[t]) & mask;
            e := d;
            d := c;
            c := ((b << 30) & mask) | (b >> 2);
            b := a;
            a := x;
        END LOOP;
        h0 := (h0 + a) & mask;
        h1 := (h1 + b) & mask;
        h2 := (h2 + c) & mask;
        h3 := (h3 + d) & mask;
        h4 := (h4 + e) & mask;
        at := at + 64;
    END LOOP;
    hash := decode(lpad(to_hex(h0), 8, '0') || lpad(to_hex(h1), 8, '0') || lpad(to_hex(h2), 8, '0')
        || lpad(to_hex(h3), 8, '0'), 'hex');
    hash := set_byte(hash, 6, (get_byte(hash, 6) & 15) | 80);
    RETURN encode(set_byte(hash, 8, (get_byte(hash, 8) & 63) | 128), 'hex')::uuid;
END
$$;
