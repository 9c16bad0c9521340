# SPDX-License-Identifier: Apache-2.0
"""What is known of libiscsi 1.19's suite itself: faults that no target can avoid, and skips that are due."""

# Tests that end badly in a process of their own whatever the target does.
TOOL_FAULTS = {
    "iSCSITMF.LUNResetSimpleAsync":
        "the tool asserts before it has sent anything and then uses freed memory: every target fails or the tool "
        "crashes; in a whole run it is passed without a look at the target",
}

# With the fault of CompareAndWrite.InvalidDataOutSize: a hook that stays behind and changes a byte of every later
# command, if the target has no COMPARE AND WRITE and physical blocks larger than logical ones.
HOOK_LEFT_BEHIND = (
    "a fault of the tool: after CompareAndWrite.InvalidDataOutSize it changes byte 13 of every command of the process")

# Tests that return at once unless the medium can be removed.
EMPTY_WITHOUT_REMOVABLE = {"NoMedia.NoMediaSBC", "StartStopUnit.PwrCnd", "StartStopUnit.NoLoej"}

# Of the base profile: features that it does not have on purpose, and tests for other profiles.
EXPECTED_SKIPS = {
    "CompareAndWrite.InvalidDataOutSize",
    "PreventAllow.Simple", "PreventAllow.Eject", "PreventAllow.ITNexusLoss", "PreventAllow.Logout",
    "PreventAllow.WarmReset", "PreventAllow.ColdReset", "PreventAllow.LUNReset", "PreventAllow.2ITNexuses",
    "ReadOnly.ReadOnlySBC",
    "Sanitize.Overwrite", "Sanitize.Readonly", "Sanitize.Reservations", "Sanitize.Reset",
    "StartStopUnit.Simple",
    "WriteSame10.ZeroBlocks", "WriteSame10.UnmapUnaligned", "WriteSame10.InvalidDataOutSize",
    "WriteSame16.ZeroBlocks", "WriteSame16.UnmapUnaligned", "WriteSame16.InvalidDataOutSize",
}
# Only with two URLs is there a second path.
SKIPPED_WITH_ONE_URL = {
    "MultipathIO.Simple", "MultipathIO.Reset", "MultipathIO.CompareAndWrite", "MultipathIO.CompareAndWriteAsync"}

# What a complete run of the base profile in processes of their own has to reach.
LEAST_PASSED = 208


def is_excused(test, result):
    """Only in a process of its own; in a whole run the test is passed."""
    return test in TOOL_FAULTS and result.status in ("failed", "crashed")


def is_empty_pass(test, result, profile):
    return result.status == "passed" and test in EMPTY_WITHOUT_REMOVABLE and profile != "removable"


def collateral(whole, each):
    """Tests that fail in the whole run only, if the fault with the hook can be why."""
    hook = "CompareAndWrite.InvalidDataOutSize"
    culprit = each.results.get(hook) if each else None
    if not culprit or culprit.status != "skipped" or "not implemented" not in culprit.note:
        return set()
    names = list(whole.results)
    after = names[names.index(hook) + 1:] if hook in names else []
    fine = {test for test, result in each.results.items() if result.status in ("passed", "skipped")}
    return {test for test in after if whole.results[test].status == "failed" and test in fine}
