//! The rows of one chunk, by table in the order that the foreign keys require.

use super::write::Writer;

/// Expands another macro with the tables of the company after its arguments, in the order that the foreign keys require.
#[macro_export]
macro_rules! with_tables {
    ($expand:ident $(, $argument:expr)*) => {
        $expand! {
            $($argument,)*
            credit_units,
            products,
            product_versions,
            prices,
            provider_prices,
            meters,
            rate_cards,
            features,
            product_features,
            credit_allowances,
            coupons,
            promo_codes,
            users,
            user_identities,
            accounts,
            account_members,
            provider_customers,
            inbox_events,
            subscriptions,
            scheduled_changes,
            subscription_items,
            subscription_versions,
            subscription_discounts,
            invoices,
            payments,
            discount_redemptions,
            refunds,
            disputes,
            credit_grants,
            ledger_entries,
            ledger_txns,
            balances,
            credit_holds,
            usage_events,
            usage_counters,
            usage_daily,
            entitlement_overrides,
            audit_log,
            analytics_events,
            identity_aliases,
            visitor_days,
            experiments,
            experiment_assignments,
            funnels,
            engagement_scores,
            error_groups,
            error_events,
            email_campaigns,
            partner_daily,
        }
    };
}

macro_rules! tables {
    ($($table:ident),* $(,)?) => {
        /// The numbers of written rows by table.
        #[derive(Debug, Clone, Default, PartialEq, Eq)]
        pub struct Totals {
            $(#[doc = concat!("Rows of `", stringify!($table), "`.")] pub $table: u64,)*
        }

        impl Totals {
            /// Returns each table with its number of rows, in the order of writing.
            pub fn tables(&self) -> Vec<(&'static str, u64)> {
                vec![$((stringify!($table), self.$table)),*]
            }

            /// Returns the number of rows of all tables.
            pub fn rows(&self) -> u64 {
                self.tables().iter().map(|(_, rows)| rows).sum()
            }
        }

        /// The rows of one transaction.
        #[derive(Default)]
        pub(super) struct Rows {
            $(pub(super) $table: Vec<::entity::$table::Model>,)*
        }

        impl Rows {
            /// Writes all rows, and adds their numbers to `totals`.
            pub(super) async fn write(&self, writer: &Writer<'_>, totals: &mut Totals) -> anyhow::Result<()> {
                $(totals.$table += writer.insert::<::entity::$table::Entity>(&self.$table).await?;)*
                Ok(())
            }
        }
    };
}

with_tables!(tables);
