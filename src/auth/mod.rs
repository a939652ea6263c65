//! Who calls: tokens and API keys are checked here and become a [`Viewer`].

pub mod key;
pub mod license_key;
pub mod scope;
pub mod token;
pub mod viewer;

mod claims;
mod fetch;
mod jwks;
mod keyset;
mod signature;
#[cfg(test)]
mod testing;

pub use key::ApiKeySecret;
pub use license_key::{GiftCode, LicenseKeySecret};
pub use scope::{Permission, Permissions, Scope};
pub use token::{Claims, MintRequest, Tokens};
pub use viewer::{Role, Viewer};
