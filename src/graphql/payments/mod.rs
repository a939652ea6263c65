//! Payments, invoices, refunds and disputes.

pub mod invoice;
pub mod payment;
pub mod refund;
pub mod refund_mutations;

use async_graphql::MergedObject;

/// The query roots of this feature.
#[derive(MergedObject, Default)]
#[graphql(name = "PaymentsQuery")]
pub struct Query(payment::PaymentQuery, refund::RefundQuery, invoice::InvoiceQuery);

/// The mutation roots of this feature.
#[derive(MergedObject, Default)]
#[graphql(name = "PaymentsMutation")]
pub struct Mutation(refund_mutations::RefundMutation);
