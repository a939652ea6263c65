//! Authentication: turns tokens and API keys into a [`Viewer`].

mod claims;
mod fetch;
mod jwks;
mod key;
mod keyset;
mod license_key;
mod publishable_key;
mod reference;
mod role;
mod scope;
mod signature;
#[cfg(test)]
mod testing;
mod token;
mod viewer;

pub use claims::Claims;
pub use key::ApiKeySecret;
pub use license_key::{GiftCode, LicenseKeySecret, Purpose, SpokenKey};
pub use publishable_key::PublishableKey;
pub use reference::PurchaseReference;
pub use role::Role;
pub use scope::{Permission, Permissions, Scope};
pub use token::{MintRequest, Tokens};
pub use viewer::{Authority, Page, Viewer};
