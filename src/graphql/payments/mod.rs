//! Payments, invoices, refunds and disputes.

pub mod events;
pub mod invoice;
pub mod payment;
pub mod refund;
pub mod refund_mutations;

use async_graphql::MergedObject;

/// Query fields of this feature.
#[derive(MergedObject, Default)]
#[graphql(name = "PaymentsQueryRoots")]
pub struct Query(payment::PaymentQuery, refund::RefundQuery, invoice::InvoiceQuery);

/// Mutation fields of this feature.
#[derive(MergedObject, Default)]
#[graphql(name = "PaymentsMutationRoots")]
pub struct Mutation(refund_mutations::RefundMutation);
