//! The cost that each caller may spend: the limits of their role, and the rate of what they send.

use super::{pages::PAGE_ROOTS, state::Http};
use crate::{
    auth::{Role, Viewer},
    config::CostLimits,
    error::Result,
    graphql::engine::execute::Terms,
    rate_limit::{CostRate, Throttle, household},
};

impl Http {
    /// Returns the permissions of a request of this caller.
    pub(super) fn terms(&self, viewer: &Viewer, mutations: bool) -> Terms {
        let (limits, _) = self.limits_of(viewer.role());
        let introspection = self.settings.allows_introspection(viewer);
        let roots = viewer.page().map(|_| PAGE_ROOTS);
        Terms { mutations, introspection, cost: u64::from(limits.request), roots }
    }

    /// Takes the cost of operations from what the caller may spend in a minute. Returns the state of that limit; `None` if
    /// there is none.
    pub(super) fn spend(&self, viewer: &Viewer, cost: u64) -> Result<Option<Throttle>> {
        let (_, rate) = self.limits_of(viewer.role());
        let Some(rate) = rate else { return Ok(None) };
        let state = match viewer.is_signed_in() {
            true => rate.spend(&viewer.actor(), cost),
            false => rate.spend(&viewer.address().map(household), cost),
        };
        state.map(Some)
    }

    fn limits_of(&self, role: Role) -> (CostLimits, Option<&CostRate>) {
        let (limits, rates) = (&self.app.config.costs, &self.app.cost_rates);
        match role {
            Role::Anonymous => (limits.anonymous, rates.anonymous.as_ref()),
            Role::User => (limits.user, rates.user.as_ref()),
            Role::Service | Role::Admin => (limits.service, rates.service.as_ref()),
        }
    }
}
