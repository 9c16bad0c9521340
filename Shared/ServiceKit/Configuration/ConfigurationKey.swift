// SPDX-License-Identifier: Apache-2.0

/// One row of the table that drives everything: the YAML file, environment variables, `--set`, the checks, the
/// listing of `sluice config keys` and the table in docs/OPERATIONS.md.
package struct ConfigurationKey: Sendable {
    package let name: String
    package let kindName: String
    package let isList: Bool
    /// Empty when every value of the kind is allowed.
    package let rangeText: String
    package let help: String
    /// Stores the parsed text(s). A key that is no list gets exactly one.
    let store: @Sendable (inout GatewayConfiguration, [String], String) throws(ValueRefusal) -> Void
    private let texts: @Sendable (GatewayConfiguration) -> [String]

    package var environmentVariable: String {
        "SLUICE_" + name.uppercased().replacing(".", with: "_")
    }

    /// The value as the file would give it.
    package func text(in configuration: GatewayConfiguration) -> String {
        let texts = texts(configuration)
        return isList ? "[" + texts.joined(separator: ", ") + "]" : texts.joined()
    }

    /// The key's row of the table in docs/OPERATIONS.md.
    package var markdownRow: String {
        let fallback = text(in: GatewayConfiguration())
        let kind = (isList ? "list of " : "") + kindName.replacing("|", with: "\\|")
        return "| `\(name)` | \(kind)\(rangeText.isEmpty ? "" : "; \(rangeText)") "
            + "| \(fallback.isEmpty ? "" : "`\(fallback)`") | \(help) |"
    }

    static func value<Value: ConfigurationValue>(
        _ name: String, _ path: any WritableKeyPath<GatewayConfiguration, Value> & Sendable,
        check: (@Sendable (Value) throws(ValueRefusal) -> Void)? = nil, rangeText: String = "", _ help: String
    ) -> ConfigurationKey {
        ConfigurationKey(
            name: name, kindName: Value.kindName, isList: false, rangeText: rangeText, help: help,
            store: { (configuration, texts, base) throws(ValueRefusal) in
                let value = try Value.parse(texts[0], relativeTo: base)
                try check?(value)
                configuration[keyPath: path] = value
            },
            texts: { [$0[keyPath: path].configurationText] })
    }

    static func value<Value: ConfigurationValue & Comparable>(
        _ name: String, _ path: any WritableKeyPath<GatewayConfiguration, Value> & Sendable,
        in range: ClosedRange<Value>, _ help: String
    ) -> ConfigurationKey {
        let bounds = (range.lowerBound.configurationText, range.upperBound.configurationText)
        return value(
            name, path,
            check: { (value) throws(ValueRefusal) in
                guard range.contains(value) else {
                    throw ValueRefusal("\(value.configurationText) is not between \(bounds.0) and \(bounds.1)")
                }
            },
            rangeText: "\(bounds.0) … \(bounds.1)", help)
    }

    static func list<Value: ConfigurationValue & Hashable>(
        _ name: String, _ path: any WritableKeyPath<GatewayConfiguration, [Value]> & Sendable,
        mayBeEmpty: Bool = false, check: @escaping @Sendable (Value) throws(ValueRefusal) -> Void = { _ in },
        _ help: String
    ) -> ConfigurationKey {
        ConfigurationKey(
            name: name, kindName: Value.kindName, isList: true, rangeText: mayBeEmpty ? "" : "at least one", help: help,
            store: { (configuration, texts, base) throws(ValueRefusal) in
                guard mayBeEmpty || !texts.isEmpty else {
                    throw ValueRefusal("the list is empty; it needs at least one entry")
                }
                var values: [Value] = []
                for text in texts {
                    let value = try Value.parse(text, relativeTo: base)
                    try check(value)
                    guard !values.contains(value) else { throw ValueRefusal("“\(text)” is in the list twice") }
                    values.append(value)
                }
                configuration[keyPath: path] = values
            },
            texts: { $0[keyPath: path].map(\.configurationText) })
    }
}
