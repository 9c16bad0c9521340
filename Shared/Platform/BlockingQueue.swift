// SPDX-License-Identifier: Apache-2.0
import Glibc

/// A bounded FIFO for threads that may block. The event loops never pop from one.
///
/// `items` and `isClosed` are touched only with `mutex` held; the mutex and the condition live in memory that does not
/// move and is freed with the queue. That is the proof for `@safe` and `@unchecked Sendable`.
@safe package final class BlockingQueue<Element: Sendable>: @unchecked Sendable {
    private let mutex: UnsafeMutablePointer<pthread_mutex_t>
    private let condition: UnsafeMutablePointer<pthread_cond_t>
    private let capacity: Int
    private var items: [Element] = []
    private var head = 0
    private var isClosed = false

    package init(capacity: Int) {
        precondition(capacity > 0)
        self.capacity = capacity
        unsafe mutex = .allocate(capacity: 1)
        unsafe condition = .allocate(capacity: 1)
        // Default attributes: neither call can fail on Linux.
        unsafe pthread_mutex_init(mutex, nil)
        unsafe pthread_cond_init(condition, nil)
    }

    deinit {
        unsafe pthread_cond_destroy(condition)
        unsafe pthread_mutex_destroy(mutex)
        unsafe condition.deallocate()
        unsafe mutex.deallocate()
    }

    /// - Returns: false if the queue is full or closed; the element was not taken.
    package func push(_ element: Element) -> Bool {
        unsafe pthread_mutex_lock(mutex)
        defer { unsafe pthread_mutex_unlock(mutex) }
        guard !isClosed, items.count - head < capacity else { return false }
        items.append(element)
        unsafe pthread_cond_signal(condition)
        return true
    }

    /// Blocks until there is an element, or the queue is closed and empty: then nil.
    package func pop() -> Element? {
        unsafe pthread_mutex_lock(mutex)
        defer { unsafe pthread_mutex_unlock(mutex) }
        while items.count == head {
            if isClosed { return nil }
            unsafe pthread_cond_wait(condition, mutex)
        }
        let element = items[head]
        head += 1
        // Taken elements are dropped in blocks, so that each is moved at most once.
        if head == items.count {
            items.removeAll(keepingCapacity: true)
            head = 0
        } else if head >= 256 {
            items.removeFirst(head)
            head = 0
        }
        return element
    }

    /// Nothing is accepted any more; what waits is still handed out.
    package func close() {
        unsafe pthread_mutex_lock(mutex)
        isClosed = true
        unsafe pthread_cond_broadcast(condition)
        unsafe pthread_mutex_unlock(mutex)
    }
}
