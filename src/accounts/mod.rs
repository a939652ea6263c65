//! People, the accounts they are billed through, and the API keys of back ends.
//!
//! Invariants: issuer and subject identify a person, never an e-mail address; everyone has exactly one individual
//! account, created with them.

mod api_keys;
mod payer;
mod project;
mod publishable_keys;
mod references;
mod sign_in;
mod store;
mod values;

pub use api_keys::{NewApiKey, create_api_key, revoke_api_key};
pub use payer::{Payer, authorize_payer, authorize_payer_of, find_payer, find_payer_of};
pub use project::{
    ObservedCustomer, UserAppeared, account_of_customer, account_of_user, currency_of, project_currency,
    project_customer,
};
pub use publishable_keys::{
    NewPublishableKey, PageRequest, create_publishable_key, is_page_origin, revoke_publishable_key, sign_in_page,
};
pub use references::{NewReference, SignedReference, create_purchase_reference};
pub use sign_in::{record_key_use, sign_in};
pub use store::payers::{customers_of, existing_users, identities_of, lock_user, owner_of};
pub use store::{
    Accounts, ApiKeys, Members, OwnAccount, ProviderCustomers, PublishableKeys, Users, account_exists, owners,
    set_time_zone, user_by_id,
};
pub use values::{AccountKind, MemberRole, UserRole};
