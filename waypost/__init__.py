"""The command line of Waypost: thin commands over the other packages.

Heavy libraries are imported by the command that needs them, so that every command starts quickly.
"""

from __future__ import annotations

import typer

from features import blas as blas
from features import telemetry as telemetry
from waypost import (
    ask,
    audit,
    deadletters,
    demonstration,
    doctor,
    events,
    feature_table,
    identity,
    insights,
    keys,
    learning,
    log,
    models,
    monitor,
    readiness,
    recalibrate,
    retrain,
    segments,
    server,
)
from waypost.console import Failing, find_home, offer_markdown, plain_output

app = typer.Typer(
    name="waypost",
    help="Follow every customer of a shop along the journey, predict the next step, answer with the next best action.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    cls=Failing,
)

app.command("import")(events.import_events)
app.command("features")(feature_table.write_features)
app.command("explain")(feature_table.explain_feature)
app.command("train")(learning.train)
app.command("score")(learning.score)
app.command("retrain")(retrain.retrain)
app.command("recalibrate")(recalibrate.recalibrate)
app.command("monitor")(monitor.monitor)
app.command("readiness")(readiness.show_readiness)
app.command("rebuild")(server.rebuild)
app.command("ask")(ask.ask)
app.command("audit")(audit.audit)
app.command("unmerge")(identity.unmerge)
app.command("export")(identity.export)
app.command("erase")(identity.erase)
app.command("serve")(server.serve)
app.command("demo")(demonstration.demo)
app.command("doctor")(doctor.doctor)
app.add_typer(log.app, name="log")
app.add_typer(models.app, name="models")
app.add_typer(insights.app, name="insights")
app.add_typer(segments.app, name="segments")
app.add_typer(keys.app, name="keys")
app.add_typer(deadletters.app, name="deadletters")
offer_markdown(app, demonstration.demo)


def main() -> None:
    """Run the command line."""
    find_home()
    with plain_output():
        app()
