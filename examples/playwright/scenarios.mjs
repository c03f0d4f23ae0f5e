// A door to `scenarios serve` for browser tests: one instance, put back before each test.

const address = process.env.SCENARIOS_SERVE ?? "http://127.0.0.1:8585";
const token = process.env.SCENARIOS_SERVE_TOKEN;

async function call(method, path, body) {
  const answer = await fetch(`${address}/api${path}`, {
    method,
    headers: { Authorization: `Bearer ${token}`, "Content-Type": "application/json" },
    body: body && JSON.stringify(body),
  });
  const found = await answer.json();
  if (!answer.ok) throw Object.assign(new Error(found.detail), { status: answer.status });
  return found;
}

const at = (name) => `/instances/${encodeURIComponent(name)}`;

/** Load `scenario` as `name`, or put the instance back when it is there already. */
export async function enter(scenario, name, parameters = {}) {
  try {
    await call("POST", "/instances", { scenario, name, parameters });
  } catch (error) {
    if (error.status !== 409) throw error;
    await call("POST", `${at(name)}/reset`);
  }
  return call("GET", at(name));
}

/** What the application changed since. */
export const changes = (name) => call("GET", `${at(name)}/changes`);

export const unload = (name) => call("DELETE", at(name));
