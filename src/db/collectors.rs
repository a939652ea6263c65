//! The queues of operations that share transactions, by their kinds.

use std::any::{Any, TypeId};
use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

/// The queues of every kind of operation.
#[derive(Debug, Default)]
pub(super) struct Collectors(Mutex<HashMap<TypeId, Arc<dyn Any + Send + Sync>>>);

impl Collectors {
    /// Returns the queues of the kind `C`, and starts them at the first use.
    pub(super) fn get_or_start<C: 'static, Q: Send + Sync + 'static>(&self, start: impl FnOnce() -> Q) -> Arc<Q> {
        let mut collectors = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let queues = collectors.entry(TypeId::of::<C>()).or_insert_with(|| Arc::new(start()));
        Arc::clone(queues).downcast().expect("the queues of a kind have one type")
    }
}
