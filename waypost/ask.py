"""waypost ask: questions about the whole history, and the customers behind a number."""

from __future__ import annotations

from typing import Annotated

import typer

from waypost.console import JsonOption, StoreOption, UsageProblem, data_output, print_json, print_line, print_table


def ask(
    question: Annotated[str, typer.Argument(help='Such as "funnel ITEM_VIEW > CART_ADD > PURCHASE within 14 days".')],
    who: Annotated[
        str | None,
        typer.Option(
            "--who", help="Write the ids of the customers behind one number, one a line; see below the table."
        ),
    ] = None,
    store: StoreOption = None,
    as_json: JsonOption = False,
) -> None:
    """Answer a question about the whole history: a funnel, transitions or retention, by group or compared.

    See docs/howto/questions.md for the words of a question. Exit code 2 for a question that cannot be read.
    """
    from insights.journal.kept import Kept
    from insights.journal.question import BadQuestion
    from insights.journal.reading import parse
    from insights.numbers import shown
    from waypost.places import existing_log, journal_folder

    if who is not None and as_json:
        raise UsageProblem("--who writes ids, one a line, and no JSON; leave one of --who and --json out")
    log = existing_log(store)
    try:
        asked = parse(question)
        kept = Kept(journal_folder())
        journal, answered = kept.journal(log), kept.answer(log, asked)
        if who is not None:
            codes = journal.customers[answered.members(who)].tolist()
            with data_output() as lines:
                lines.writelines(f"{log.customers.name(code)}\n" for code in codes)
            return
    except BadQuestion as error:
        raise UsageProblem(str(error)) from None
    finally:
        log.close()
    if as_json:
        print_json(answered.to_fields())
        return
    print_table(str(asked), answered.columns, [[shown(cell) for cell in row] for row in answered.rows])
    for note in answered.notes:
        print_line(note)
    print_line(f"customers behind a number: --who and {answered.places}")
