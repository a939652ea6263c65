//! The budget of the operations of a request while they run. A list may be longer than the schema assumes, and a text
//! longer than anybody expects, so both are counted as they are loaded.

use std::sync::atomic::{AtomicU64, Ordering};

/// The use of one request so far, and its limits. A batch shares one.
#[derive(Debug)]
pub struct Budget {
    rows: Counter,
    bytes: Counter,
}

/// The limit of a budget that was reached.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Overrun {
    /// More objects were loaded.
    Rows {
        /// The number of objects so far.
        used: u64,
        /// The limit.
        limit: u64,
    },
    /// The values are longer.
    Bytes {
        /// The limit.
        limit: u64,
    },
}

#[derive(Debug)]
struct Counter {
    used: AtomicU64,
    limit: u64,
}

impl Counter {
    fn new(limit: u64) -> Counter {
        Counter { used: AtomicU64::new(0), limit }
    }

    fn add(&self, more: u64) {
        // Cannot overflow in practice: an operation is stopped at the limit.
        self.used.fetch_add(more.min(u64::from(u32::MAX)), Ordering::Relaxed);
    }

    fn used(&self) -> u64 {
        self.used.load(Ordering::Relaxed)
    }
}

impl Budget {
    /// Creates a budget of `rows` objects and `bytes` of long values.
    pub fn new(rows: u64, bytes: u64) -> Budget {
        Budget { rows: Counter::new(rows), bytes: Counter::new(bytes) }
    }

    /// Counts objects.
    pub fn add_rows(&self, rows: u64) {
        self.rows.add(rows);
    }

    /// Counts the bytes of a value. Returns false if there are too many, so that the value must not be built.
    pub fn add_bytes(&self, bytes: u64) -> bool {
        self.bytes.add(bytes);
        self.bytes.used() <= self.bytes.limit
    }

    /// Returns the number of objects so far.
    pub fn rows(&self) -> u64 {
        self.rows.used()
    }

    /// Returns the limit that was exceeded, if one was.
    pub fn overrun(&self) -> Option<Overrun> {
        if self.rows.used() > self.rows.limit {
            return Some(Overrun::Rows { used: self.rows.used(), limit: self.rows.limit });
        }
        (self.bytes.used() > self.bytes.limit).then_some(Overrun::Bytes { limit: self.bytes.limit })
    }
}

impl Default for Budget {
    /// Creates a budget without limits.
    fn default() -> Self {
        Budget::new(u64::MAX, u64::MAX)
    }
}
