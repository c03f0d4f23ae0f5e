"""The service: lend and take back."""

from __future__ import annotations

import os
from collections.abc import Iterator
from typing import Annotated

from fastapi import Depends, FastAPI, HTTPException, Request
from sqlalchemy import create_engine, func, select
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Session

from loans.models import Copy, Loan, Reader, Standing


def session_of(request: Request) -> Iterator[Session]:
    with Session(request.app.state.engine) as session:
        yield session


Database = Annotated[Session, Depends(session_of)]


def create_app(url: str | None = None) -> FastAPI:
    app = FastAPI()
    app.state.engine = create_engine(url or os.environ["LOANS_DATABASE"], pool_pre_ping=True)

    @app.get("/copies")
    def copies(session: Database) -> list[dict[str, object]]:
        lent = select(Loan.copy_id).where(Loan.returned_at.is_(None))
        found = session.execute(select(Copy.id, Copy.title, Copy.id.in_(lent)).order_by(Copy.id))
        return [{"id": number, "title": title, "lent": lent} for number, title, lent in found]

    @app.post("/copies/{copy_id}/loan", status_code=201)
    def lend(copy_id: int, reader_id: int, session: Database) -> dict[str, int]:
        reader = session.get(Reader, reader_id)
        if reader is None or session.get(Copy, copy_id) is None:
            raise HTTPException(404)
        if reader.standing is Standing.barred:
            raise HTTPException(403, "barred")
        loan = Loan(copy_id=copy_id, reader_id=reader_id)
        session.add(loan)
        try:
            session.commit()
        except IntegrityError:
            raise HTTPException(409, "lent already") from None
        return {"id": loan.id}

    @app.delete("/copies/{copy_id}/loan", status_code=204)
    def take_back(copy_id: int, session: Database) -> None:
        loan = session.scalar(select(Loan).where(Loan.copy_id == copy_id, Loan.returned_at.is_(None)))
        if loan is None:
            raise HTTPException(404)
        loan.returned_at = func.now()
        session.commit()

    return app
