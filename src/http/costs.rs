//! The cost that each caller may spend: the limits of their role, and the rate of what they send.

use std::net::IpAddr;

use super::state::Http;
use crate::{
    auth::{Role, Viewer},
    config::CostLimits,
    error::Result,
    graphql::engine::execute::Terms,
    rate_limit::{CostRate, Throttle},
};

impl Http {
    /// Returns the permissions of a request of this caller.
    pub(super) fn terms(&self, viewer: &Viewer, mutations: bool) -> Terms {
        let (limits, _) = self.limits_of(viewer.role());
        let introspection = self.settings.allows_introspection(viewer);
        Terms { mutations, introspection, cost: u64::from(limits.request) }
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

/// Returns the address whose limit a client shares: in IPv6, everybody can use all addresses of a network of 64 bits.
fn household(address: IpAddr) -> IpAddr {
    match address {
        IpAddr::V4(_) => address,
        IpAddr::V6(address) => IpAddr::V6((address.to_bits() & (u128::MAX << 64)).into()),
    }
}
