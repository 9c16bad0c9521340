# SPDX-License-Identifier: Apache-2.0
"""The ways a target is set up for the suite, as a table: a new switch of the gateway is a line here."""
import dataclasses


@dataclasses.dataclass(frozen=True)
class Profile:
    name: str
    title: str
    # Keys of gateway.yaml and options of `sluice volume create`; None: the gateway has no switch for it yet.
    settings: dict | None = None
    volume: tuple | None = None
    # Options of `sluice volume set`.
    change: tuple = ("--sanitize", "on")
    # Steps of tgtadm after the LUN is there, as (mode, arguments); the block size is known when it is made.
    tgt: tuple | None = None
    tgt_block_size: int = 512
    # Environment of a model target (--oracle).
    oracle: dict | None = None
    # Tests that mean something in this profile: patterns of Suite.Test.
    tests: tuple = ("*",)
    # Those that have to be passed for real: a skip would say that the profile was not in force.
    must_pass: tuple = ()
    # How the suite is run: `whole-1` and `whole-2` in one process with so many URLs, `each-2` one process a test.
    runs: tuple = ("whole-1", "whole-2")

    @property
    def has_switch(self):
        return self.settings is not None and self.volume is not None


def target_parameters(**values):
    return tuple(("target", ("--name", name, "--value", value)) for name, value in values.items())


PROFILES = [
    Profile("base", "512-byte blocks, thin, fixed disk", settings={}, volume=(), tgt=(), oracle={},
            runs=("whole-1", "whole-2", "each-2")),
    Profile("read-only", "read-only volume", settings={}, volume=(), change=("--read-only", "on"),
            tgt=(("logicalunit", ("--lun", "1", "--params", "readonly=1")),),
            oracle={"RO": "1"}, tests=("ReadOnly.*",), must_pass=("ReadOnly.ReadOnlySBC",)),
    Profile("initial-r2t", "InitialR2T=Yes", settings={"iscsi.initial_r2t": "true"}, volume=(),
            tgt=target_parameters(InitialR2T="Yes"), oracle={"INITR2T": "Yes"}),
    Profile("header-digest", "HeaderDigest=CRC32C forced", settings={"iscsi.header_digest": "required"},
            volume=(), tgt=target_parameters(HeaderDigest="CRC32C"),
            oracle={"HD": "CRC32C"}),
    Profile("small-bursts", "MaxBurstLength and FirstBurstLength 8192, MaxRecvDataSegmentLength 4096",
            settings={"iscsi.max_burst": "8KiB", "iscsi.first_burst": "8KiB", "iscsi.max_segment": "4KiB"}, volume=(),
            tgt=target_parameters(MaxBurstLength="8192", FirstBurstLength="8192", MaxRecvDataSegmentLength="4096")),
    Profile("removable", "removable medium", settings={}, volume=("--removable",),
            tgt=(("logicalunit", ("--lun", "1", "--params", "removable=1")),), oracle={"RMB": "1"},
            must_pass=("PreventAllow.*", "NoMedia.NoMediaSBC", "StartStopUnit.Simple")),
    Profile("4k-blocks", "4096-byte blocks", settings={}, volume=("--block-size", "4096"), tgt=(),
            tgt_block_size=4096, oracle={"BS": "4096"}),
    Profile("no-write-same-limit", "MAXIMUM WRITE SAME LENGTH 0: no limit", settings={}, volume=(),
            oracle={"BIGWS": "1"}),
]
