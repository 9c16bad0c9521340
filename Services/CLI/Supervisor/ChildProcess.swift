// SPDX-License-Identifier: Apache-2.0
import Glibc
import Platform

/// One running child: its id and the reading end of what it prints.
struct ChildProcess {
    let processID: pid_t
    /// Non-blocking; closed by `closeOutput`.
    let output: Int32

    /// Starts a program with its standard output and error joined in one pipe and its signals as the system gives them.
    /// It gets its own process group, so that Ctrl-C reaches the supervisor alone and the order of stopping stays ours.
    static func start(
        _ program: String, _ arguments: [String], environment: [String], input: Int32
    ) throws(SystemError) -> ChildProcess {
        var ends: [Int32] = [-1, -1]
        guard unsafe pipe(&ends) == 0 else { throw .last("pipe", path: program) }
        for end in ends { _ = fcntl(end, F_SETFD, FD_CLOEXEC) }
        _ = fcntl(ends[0], F_SETFL, O_NONBLOCK)
        defer { close(ends[1]) }

        var actions = unsafe posix_spawn_file_actions_t()
        unsafe posix_spawn_file_actions_init(&actions)
        defer { unsafe posix_spawn_file_actions_destroy(&actions) }
        unsafe posix_spawn_file_actions_adddup2(&actions, input, STDIN_FILENO)
        unsafe posix_spawn_file_actions_adddup2(&actions, ends[1], STDOUT_FILENO)
        unsafe posix_spawn_file_actions_adddup2(&actions, ends[1], STDERR_FILENO)

        var attributes = posix_spawnattr_t()
        unsafe posix_spawnattr_init(&attributes)
        defer { unsafe posix_spawnattr_destroy(&attributes) }
        var none = sigset_t()
        var all = sigset_t()
        unsafe sigemptyset(&none)
        unsafe sigfillset(&all)
        unsafe posix_spawnattr_setsigmask(&attributes, &none)
        unsafe posix_spawnattr_setsigdefault(&attributes, &all)
        unsafe posix_spawnattr_setpgroup(&attributes, 0)
        let flags = POSIX_SPAWN_SETPGROUP | POSIX_SPAWN_SETSIGMASK | POSIX_SPAWN_SETSIGDEF
        unsafe posix_spawnattr_setflags(&attributes, Int16(flags))

        var processID: pid_t = 0
        let result = unsafe withCStrings([program] + arguments) { argv in
            unsafe withCStrings(environment) { environment in
                unsafe posix_spawn(&processID, program, &actions, &attributes, argv, environment)
            }
        }
        guard result == 0 else {
            close(ends[0])
            throw SystemError(errorNumber: result, call: "posix_spawn", path: program)
        }
        return ChildProcess(processID: processID, output: ends[0])
    }

    /// What there is to read now, and whether the child (and all that it started) has closed its end.
    func readOutput() -> (bytes: [UInt8], isAtEnd: Bool) {
        var collected: [UInt8] = []
        var chunk = [UInt8](repeating: 0, count: 16 << 10)
        while collected.count < 256 << 10 {
            let count = unsafe chunk.withUnsafeMutableBytes { unsafe read(output, $0.baseAddress, $0.count) }
            if count == 0 { return (collected, true) }
            if count < 0 && errno == EINTR { continue }
            if count < 0 { return (collected, errno != EAGAIN) }
            collected += chunk[..<count]
        }
        return (collected, false)
    }

    func closeOutput() { close(output) }

    /// Every child that has ended since the last call.
    static func reap() -> [(processID: pid_t, exit: ProcessExit)] {
        var ended: [(pid_t, ProcessExit)] = []
        while true {
            var status: Int32 = 0
            let processID = unsafe waitpid(-1, &status, WNOHANG)
            if processID < 0 && errno == EINTR { continue }
            guard processID > 0 else { return ended }
            // The macros of wait(2), which Swift does not see.
            let signal = status & 0x7f
            ended.append((processID, signal == 0 ? .code((status >> 8) & 0xff) : .signal(signal)))
        }
    }

    /// Lends a NULL-terminated array of C strings for the time of the call.
    private static func withCStrings<Result>(
        _ strings: [String], _ body: ([UnsafeMutablePointer<CChar>?]) -> Result
    ) -> Result {
        let pointers = unsafe strings.map { unsafe strdup($0) }
        defer { for index in unsafe pointers.indices { unsafe free(pointers[index]) } }
        return unsafe body(pointers + [nil])
    }
}
