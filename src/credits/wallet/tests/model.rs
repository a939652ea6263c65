//! The model: credits by lots, through time second by second.

/// Credits of one grant in the model.
#[derive(Debug, Clone)]
pub(super) struct Lot {
    pub(super) left: i64,
    pub(super) priority: i64,
    pub(super) starts: i64,
    pub(super) ends: Option<i64>,
    /// Credits that are taken back when they return.
    pub(super) claimed: i64,
}

/// A hold in the model: its parts by lot.
#[derive(Debug, Clone)]
pub(super) struct Reserved {
    pub(super) parts: Vec<(usize, i64)>,
    pub(super) ends: i64,
    pub(super) open: bool,
}

/// The model: lots and holds, and sums of what became of the credits.
#[derive(Debug, Default)]
pub(super) struct Model {
    pub(super) now: i64,
    pub(super) lots: Vec<Lot>,
    pub(super) holds: Vec<Reserved>,
    pub(super) spends: Vec<Option<Vec<(usize, i64)>>>,
    pub(super) spent: i64,
    pub(super) expired: i64,
    pub(super) revoked: i64,
    pub(super) owed: i64,
}

impl Model {
    pub(super) fn begun(&self, lot: &Lot) -> bool {
        lot.starts <= self.now
    }

    pub(super) fn available(&self) -> i64 {
        self.lots.iter().filter(|lot| self.begun(lot)).map(|lot| lot.left).sum()
    }

    pub(super) fn held(&self) -> i64 {
        self.holds.iter().filter(|hold| hold.open).flat_map(|hold| &hold.parts).map(|(_, amount)| amount).sum()
    }

    pub(super) fn is_over(&self, lot: usize) -> bool {
        self.lots[lot].ends.is_some_and(|end| end <= self.now)
    }

    /// Takes from the lots that can be spent: soonest end, then priority, then age.
    pub(super) fn take(&mut self, mut amount: i64) -> Vec<(usize, i64)> {
        let mut order: Vec<usize> = (0..self.lots.len()).filter(|lot| self.begun(&self.lots[*lot])).collect();
        order.sort_by_key(|lot| (self.lots[*lot].ends.unwrap_or(i64::MAX), self.lots[*lot].priority, *lot));
        let mut parts = Vec::new();
        for lot in order {
            let part = amount.min(self.lots[lot].left);
            if part > 0 {
                self.lots[lot].left -= part;
                amount -= part;
                parts.push((lot, part));
            }
        }
        assert_eq!(amount, 0);
        parts
    }

    pub(super) fn give(&mut self, parts: Vec<(usize, i64)>) {
        for (lot, mut amount) in parts {
            let recovered = amount.min(self.lots[lot].claimed);
            self.lots[lot].claimed -= recovered;
            self.revoked += recovered;
            amount -= recovered;
            if self.is_over(lot) { self.expired += amount } else { self.lots[lot].left += amount }
        }
    }

    pub(super) fn repay(&mut self) {
        let part = self.owed.min(self.available());
        if part > 0 {
            self.take(part);
            self.owed -= part;
        }
    }

    pub(super) fn tick(&mut self) {
        self.now += 1;
        let mut is_more = false;
        for hold in 0..self.holds.len() {
            if self.holds[hold].open && self.holds[hold].ends == self.now {
                self.holds[hold].open = false;
                is_more = true;
                let parts = std::mem::take(&mut self.holds[hold].parts);
                self.give(parts);
            }
        }
        for lot in 0..self.lots.len() {
            if self.lots[lot].ends == Some(self.now) {
                self.expired += std::mem::take(&mut self.lots[lot].left);
            }
        }
        if is_more || self.lots.iter().any(|lot| lot.starts == self.now) {
            self.repay();
        }
    }
}
