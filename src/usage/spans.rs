//! The use of a meter in a span of time, computed from what was recorded.

use super::store;
use super::values::MeterAggregation;
use super::windows::Window;
use crate::error::Result;
use sea_orm::ConnectionTrait;
use std::collections::{HashMap, HashSet};
use uuid::Uuid;

/// A span of time in which an account used a meter.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(super) struct Span {
    pub(super) account_id: Uuid,
    pub(super) meter_id: Uuid,
    pub(super) window: Window,
}

/// The use in some spans.
#[derive(Debug, Default)]
pub(super) struct Spans(HashMap<Span, i64>);

impl Spans {
    /// Computes the use in these spans, without what was corrected.
    pub(super) async fn load(db: &impl ConnectionTrait, spans: Vec<Span>) -> Result<Spans> {
        // A feature without a meter has no use.
        let different: HashSet<Span> = spans.into_iter().filter(|span| !span.meter_id.is_nil()).collect();
        let different: Vec<Span> = different.into_iter().collect();
        if different.is_empty() {
            return Ok(Spans::default());
        }
        let mut used: HashMap<Span, i128> = HashMap::new();
        for part in store::spans::parts(db, &different).await? {
            let Some(span) = usize::try_from(part.n).ok().and_then(|number| different.get(number)) else { continue };
            let used = used.entry(*span).or_default();
            match MeterAggregation::parse(&part.aggregation)? {
                MeterAggregation::Sum | MeterAggregation::Count => {
                    *used += (i128::from(part.high) << 32) + i128::from(part.low);
                }
                MeterAggregation::Max => *used = (*used).max(part.greatest.unwrap_or_default().into()),
                MeterAggregation::Unique => *used += i128::from(part.different),
            }
        }
        let in_range = |used: i128| i64::try_from(used.max(0)).unwrap_or(i64::MAX);
        Ok(Spans(used.into_iter().map(|(span, used)| (span, in_range(used))).collect()))
    }

    /// Returns the use in one of these spans.
    pub(super) fn used(&self, span: &Span) -> i64 {
        self.0.get(span).copied().unwrap_or_default()
    }
}
