// SPDX-License-Identifier: Apache-2.0
import FuzzSupport
import SCSI
import Wire

/// Commands of several initiators to one unit, through decoder and device server, with everything that may happen to
/// unit and initiators between them.
@main
enum FuzzCDB: FuzzTarget {
    static func run(_ input: [UInt8]) {
        var input = FuzzInput(input)
        var unit = UnitModel(&input)
        while !input.isAtEnd { step(&unit, &input) }
        unit.restart(powerOn: "boot-0")
    }

    private static func step(_ unit: inout UnitModel, _ input: inout FuzzInput) {
        switch input.choice(18) {
        case 0: unit.command(CDB(high: input.integer(), low: input.integer()), &input)
        case 1, 2, 3: unit.command(CommandMaker.command(&input), &input)
        case 4, 5, 6: unit.persistentReserveOut(&input)
        case 7: unit.command(CommandMaker.reservation(&input), &input)
        case 8: unit.attach(&input)
        case 9: unit.lose(&input)
        case 10: unit.reset(&input)
        case 11: unit.restart(powerOn: "boot-" + String(input.choice(2)))
        case 12: unit.change(&input)
        case 13: unit.copy(&input)
        case 14: unit.modeSelect(&input)
        case 15, 16: unit.repeatCommand(&input)
        default: unit.finishSomething(&input)
        }
    }
}
