//! The money of subscriptions: what the providers' events make of items, currencies and discounts, through webhooks and
//! GraphQL. The fixtures in `fixtures/cases` are minimal sequences, each with one peculiarity.

mod books;
mod cases;
mod customers;
mod discounts;
mod fetched;
mod model;
mod paddle;
mod prices;
mod streams;

use books::{figures, history};
