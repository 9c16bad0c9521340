# SPDX-License-Identifier: Apache-2.0
"""The classes by number."""

TITLES = {
    1: "the first PDU is no Login Request", 2: "slow logins", 3: "part of a PDU, then silence",
    4: "additional header segments", 5: "additional header segments where none belong",
    6: "data segments longer than declared", 7: "login data longer than 8192 bytes", 8: "login text",
    9: "keys", 10: "fragments of login and text", 11: "login stages", 12: "CHAP out of order",
    13: "CHAP values", 14: "CHAP reflection", 15: "names", 16: "TSIH, ISID and CID",
    17: "reinstatement without authentication", 18: "numbers", 19: "limits of numbers",
    20: "a login in full feature phase", 21: "unknown opcodes", 22: "reserved bits and flags", 23: "a tag in use",
    24: "the reserved tag", 25: "CmdSN outside the window", 26: "immediate commands", 27: "more than MaxCmdSN",
    28: "expected lengths", 29: "immediate data", 30: "unsolicited data", 31: "Data-Out", 32: "DataSN",
    33: "data that never comes", 34: "data after an abort", 35: "task management",
    36: "task management while the back end stands still", 37: "text requests", 38: "logout", 39: "NOP-Out",
    40: "SNACK", 41: "wrong header digests", 42: "wrong data digests", 43: "missing digests", 44: "a peer that is gone",
    45: "a peer that does not read", 46: "connection storms", 47: "random commands", 48: "allocation lengths",
    49: "parameter lists", 50: "block addresses", 51: "LUN fields", 52: "reservations by many", 53: "EXTENDED COPY",
    54: "SCSI in a discovery session", 55: "races of logins",
}
