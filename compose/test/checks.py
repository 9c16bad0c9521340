# SPDX-License-Identifier: Apache-2.0
"""What holds of a deployment that is well, and what its doctor and Prometheus say of one that is not."""

from daemon import Failure, wait

OWN = ["iscsi", "cache", "uploader", "snapshotter", "exporter"]


def check_prometheus(gateway, exporters=1):
    wait(
        "every target is up", 60,
        lambda: gateway.value('count(up{job="sluice"} == 1)') == exporters and not gateway.query("up == 0"),
    )  # fmt: skip
    for service in OWN:
        wait(f"{service} is seen", 45, lambda s=service: gateway.query(f'sluice_service_up{{service="{s}"}} == 1'))
    wait("no alert fires", 240, lambda: not gateway.query('ALERTS{alertstate="firing",severity="critical"}'), step=2)


def check_doctor(gateway, statuses, *words):
    """It exits with one of these and prints each of the words. Returns with what it exited, as text."""
    found, text = gateway.doctor()
    if found not in statuses or any(word not in text for word in words):
        raise Failure(f"doctor ended with {found}, not {statuses} and {', '.join(words)}: {text}")
    return str(found)


def wait_until_well(gateway):
    """Nothing is left to complain about; the newest commits may have to land first."""
    wait("the doctor has nothing to say", 120, lambda: gateway.doctor()[0] == 0, step=1)


def busy_answers(gateway):
    """A function that tells how many commands of initiators were answered BUSY since."""
    # A frontend that starts again counts from zero.
    expression = "sum(max without (instance) (sluice_iscsi_commands_expired_total)) or vector(0)"
    begin = gateway.value(expression)
    return lambda: f"{max(0, gateway.value(expression) - begin):.0f}"
