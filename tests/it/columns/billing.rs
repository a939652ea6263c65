//! The columns of people, accounts and what they pay for.

super::columns! {
    User from users {
        email: Text("email");
        fullName: Text("name");
        avatarUrl: Text("avatar_url");
        locale: Text("locale");
        role: Word("role");
        createdAt: Time("created_at");
        lastActiveAt: Time("last_active_at");
        ownAccount: Row("Account", "(SELECT a.id FROM accounts a WHERE a.owner_id = users.id AND a.kind = 'individual')");
        subscription: Row("Subscription", concat!("(SELECT s.id FROM subscriptions s ",
            "JOIN product_versions v ON v.id = s.product_version_id JOIN products p ON p.id = v.product_id ",
            "JOIN account_members m ON m.account_id = s.account_id AND m.left_at IS NULL WHERE m.user_id = users.id ",
            "AND s.status IN ('trialing', 'active', 'past_due') ORDER BY p.rank DESC, s.created_at DESC, s.id DESC LIMIT 1)"));
    }
    Account from accounts {
        holderKind: Word("kind");
        displayName: Text("name");
        currency: Text("currency");
        refType: Text("ref_type");
        refId: Text("ref_id");
        timeZone: Text("time_zone");
        createdAt: Time("created_at");
        owner: Row("User", "owner_id");
        subscription: Row("Subscription", concat!("(SELECT s.id FROM subscriptions s ",
            "JOIN product_versions v ON v.id = s.product_version_id JOIN products p ON p.id = v.product_id ",
            "WHERE s.account_id = accounts.id AND s.status IN ('trialing', 'active', 'past_due') ",
            "ORDER BY p.rank DESC, s.created_at DESC, s.id DESC LIMIT 1)"));
    }
    AccountMember from account_members {
        account: Row("Account", "account_id");
        user: Row("User", "user_id");
        memberRole: Word("role");
        joinedAt: Time("joined_at");
        leftAt: Time("left_at");
    }
    EntitlementOverride from entitlement_overrides {
        account: Row("Account", "account_id");
        feature: Row("Feature", "feature_id");
        granted: Flag("granted");
        value: Text("value");
        limit: Long("limit_units");
        window: Word("limit_window");
        reason: Text("reason");
        createdBy: Text("created_by");
        createdAt: Time("created_at");
        expiresAt: Time("expires_at");
        revokedAt: Time("revoked_at");
    }
    ProviderCustomer from provider_customers {
        account: Row("Account", "account_id");
        provider: Word("provider");
        externalId: Text("external_id");
        email: Text("email");
        fullName: Text("name");
        delinquent: Flag("delinquent");
        deleted: Flag("deleted");
        createdAt: Time("created_at");
        updatedAt: Time("updated_at");
    }
    Subscription from subscriptions {
        account: Row("Account", "account_id");
        plan: Row("Plan", "(SELECT v.product_id FROM product_versions v WHERE v.id = subscriptions.product_version_id)");
        planUnknown: Flag("product_version_id IS NULL");
        planVersion: Row("PlanVersion", "product_version_id");
        price: Row("Price", "price_id");
        currency: Text("currency");
        provider: Word("provider");
        externalId: Text("external_id");
        customerExternalId: Text("customer_external_id");
        scheduleExternalId: Text("schedule_external_id");
        latestInvoiceExternalId: Text("latest_invoice_external_id");
        status: Word("status");
        startedAt: Time("started_at");
        trialStart: Time("trial_start");
        trialEnd: Time("trial_end");
        currentPeriodStart: Time("current_period_start");
        currentPeriodEnd: Time("current_period_end");
        nextBilledAt: Time("next_billed_at");
        cancelAtPeriodEnd: Flag("cancel_at_period_end");
        endsAt: Time("COALESCE(ended_at, cancel_at)");
        cancelAt: Time("cancel_at");
        canceledAt: Time("canceled_at");
        endedAt: Time("ended_at");
        pausedAt: Time("paused_at");
        firstPaidAt: Time("first_paid_at");
        metadata: Json("metadata");
        createdAt: Time("created_at");
        updatedAt: Time("updated_at");
    }
    SubscriptionItem from subscription_items {
        price: Row("Price", "price_id");
        itemExternalId: Text("external_id");
        priceExternalId: Text("price_external_id");
        providerPrice: Row("ProviderPrice", concat!("(SELECT p.id FROM provider_prices p JOIN subscriptions s ",
            "ON s.id = subscription_items.subscription_id WHERE p.provider = s.provider ",
            "AND p.external_id = subscription_items.price_external_id)"));
        purpose: Word("kind");
        quantity: Int("quantity");
        currentPeriodStart: Time("current_period_start");
        currentPeriodEnd: Time("current_period_end");
    }
    SubscriptionVersion from subscription_versions {
        effectiveAt: Time("effective_at");
        recordedAt: Time("recorded_at");
        status: Word("status");
        paused: Flag("paused");
        planVersion: Row("PlanVersion", "product_version_id");
        currency: Text("currency");
        itemsInForce: Json("items");
        discountInForce: Json("discount");
        arr: Money("arr_minor");
        discountedArr: Money("discounted_arr_minor");
        cause: Text("cause");
        event: Row("WebhookEvent", "inbox_event_id");
    }
    SubscriptionArrChange from subscription_arr_changes {
        effectiveAt: Time("effective_at");
        arr: Money("arr_minor");
        discountedArr: Money("discounted_arr_minor");
    }
    SubscriptionDiscount from subscription_discounts {
        externalId: Text("external_id");
        scope: Word("scope");
        itemExternalId: Text("item_external_id");
        couponExternalId: Text("coupon_external_id");
        discountDuration: Word("duration");
        percentBasisPoints: Int("percent_basis_points");
        amountOff: Money("amount_off_minor");
        perUnit: Flag("per_unit");
        beginsAt: Time("starts_at");
        endsAt: Time("ends_at");
        // The keys of the tests were made now.
        inForce: Flag(concat!("COALESCE(starts_at <= (SELECT MAX(k.created_at) FROM api_keys k), TRUE) ",
            "AND COALESCE(ends_at > (SELECT MAX(k.created_at) FROM api_keys k), TRUE)"));
    }
    ScheduledChange from scheduled_changes {
        changeKind: Word("kind");
        effectiveAt: Time("effective_at");
        plan: Row("Plan", "(SELECT v.product_id FROM product_versions v WHERE v.id = scheduled_changes.product_version_id)");
        planVersion: Row("PlanVersion", "product_version_id");
        price: Row("Price", "price_id");
        priceExternalId: Text("price_external_id");
        quantity: Int("quantity");
    }
    Payment from payments {
        account: Row("Account", "account_id");
        subscription: Row("Subscription", "subscription_id");
        invoice: Row("Invoice", "invoice_id");
        provider: Word("provider");
        externalId: Text("external_id");
        customerExternalId: Text("customer_external_id");
        chargeExternalId: Text("charge_external_id");
        stream: Word("stream");
        chargeStatus: Word("status");
        providerStatus: Text("provider_status");
        amount: Money("amount_minor");
        received: Money("received_minor");
        fee: Money("fee_minor");
        refunded: Money("refunded_minor");
        returned: Money("returned_minor");
        fullyRefunded: Flag("received_minor > 0 AND refunded_minor >= received_minor");
        disputed: Flag("disputed");
        failedAttempts: Int("failed_attempts");
        description: Text("description");
        failureCode: Text("failure_code");
        paidAt: Time("paid_at");
        createdAt: Time("created_at");
    }
    Refund from refunds {
        account: Row("Account", "account_id");
        payment: Row("Payment", "payment_id");
        provider: Word("provider");
        providerRefundId: Text("external_id");
        chargeExternalId: Text("charge_external_id");
        processingStatus: Word("status");
        providerStatus: Text("provider_status");
        amount: Money("amount_minor");
        requestedAmount: Money("requested_minor");
        reason: Text("reason");
        denialReason: Text("denial_reason");
        failureCode: Text("failure_code");
        requestedBy: Text("requested_by");
        decidedBy: Text("decided_by");
        creditsTakenBack: Long("credits_taken_back");
        createdAt: Time("created_at");
        processedAt: Time("processed_at");
    }
    Dispute from disputes {
        payment: Row("Payment", "payment_id");
        provider: Word("provider");
        externalId: Text("external_id");
        chargeExternalId: Text("charge_external_id");
        caseStatus: Word("status");
        providerStatus: Text("provider_status");
        amount: Money("amount_minor");
        reason: Text("reason");
        createdAt: Time("created_at");
        closedAt: Time("closed_at");
    }
    Invoice from invoices {
        account: Row("Account", "account_id");
        subscription: Row("Subscription", "subscription_id");
        provider: Word("provider");
        externalId: Text("external_id");
        customerExternalId: Text("customer_external_id");
        paymentExternalId: Text("payment_external_id");
        number: Text("number");
        collectionStatus: Word("status");
        billingReason: Text("billing_reason");
        subtotal: Money("subtotal_minor");
        discount: Money("discount_minor");
        tax: Money("tax_minor");
        total: Money("total_minor");
        due: Money("due_minor");
        paid: Money("paid_minor");
        attemptCount: Int("attempt_count");
        hostedUrl: Text("hosted_url");
        periodStart: Time("period_start");
        periodEnd: Time("period_end");
        dueAt: Time("due_at");
        paidAt: Time("paid_at");
        createdAt: Time("created_at");
    }
    Gift from gifts {
        buyer: Row("Account", "account_id");
        purchasedPrice: Row("Price", "price_id");
        codePrefix: Text("prefix");
        recipientEmail: Text("recipient_email");
        personalMessage: Text("message");
        redemptionStatus: Word("status");
        amount: Money("amount_minor");
        purchase: Row("Payment", "payment_id");
        redeemer: Row("Account", "redeemed_account_id");
        claimedAt: Time("redeemed_at");
        subscription: Row("Subscription", "subscription_id");
        expiresAt: Time("expires_at");
        createdAt: Time("created_at");
        paidAt: Time("paid_at");
    }
    CreditBalance from balances {
        account: Row("Account", "account_id");
        unit: Row("CreditUnit", "credit_unit_id");
        available: Long("available");
        held: Long("held");
        spent: Long("spent");
        expired: Long("expired");
        revoked: Long("revoked");
        issued: Long("-issued");
        owed: Long("-owed");
        updatedAt: Time("updated_at");
    }
    CreditGrant from credit_grants {
        account: Row("Account", "account_id");
        unit: Row("CreditUnit", "credit_unit_id");
        source: Word("source");
        credits: Long("amount");
        remaining: Long("remaining");
        priority: Int("priority");
        startsAt: Time("starts_at");
        expiresAt: Time("expires_at");
        subscription: Row("Subscription", "subscription_id");
        purchase: Row("Payment", "payment_id");
        reason: Text("reason");
        grantedBy: Text("granted_by");
        createdAt: Time("created_at");
    }
    CreditHold from credit_holds {
        account: Row("Account", "account_id");
        unit: Row("CreditUnit", "credit_unit_id");
        reservationState: Word("state");
        credits: Long("amount");
        remaining: Long("remaining");
        captured: Long("captured");
        createdAt: Time("created_at");
        releasesAt: Time("expires_at");
        closedAt: Time("closed_at");
        createdBy: Text("created_by");
        reason: Text("reason");
        refType: Text("ref_type");
        refId: Text("ref_id");
    }
    LedgerEntry from ledger_entries {
        transaction: Row("LedgerTransaction", "txn_id");
        unit: Row("CreditUnit", "credit_unit_id");
        grant: Row("CreditGrant", "grant_id");
        bucket: Word("bucket");
        credits: Long("amount");
        balanceAfter: Long("balance_after");
        sequence: Long("seq");
        effectiveAt: Time("effective_at");
        recordedAt: Time("recorded_at");
    }
    LedgerTransaction from ledger_txns {
        operation: Word("kind");
        effectiveAt: Time("effective_at");
        recordedAt: Time("recorded_at");
        actor: Text("actor");
        reason: Text("reason");
        reverses: Row("LedgerTransaction", "reverses_id");
        refType: Text("ref_type");
        refId: Text("ref_id");
    }
    UsageEvent from usage_events {
        account: Row("Account", "account_id");
        meter: Row("Meter", "meter_id");
        usedBy: Row("User", "user_id");
        usedOn: Row("Device", "device_id");
        dedupeKey: Text("dedupe_key");
        occurredAt: Time("occurred_at");
        recordedAt: Time("recorded_at");
        measuredValue: Long("value");
        uniqueValue: Text("unique_value");
        dimensions: Json("dimensions");
        refType: Text("ref_type");
        refId: Text("ref_id");
        credits: Long("credits");
        creditUnit: Row("CreditUnit", "credit_unit_id");
        ledgerTransaction: Row("LedgerTransaction", "ledger_txn_id");
        rateCard: Row("RateCard", "rate_card_id");
        verified: Flag("verified");
        proof: Text("proof");
        contentHash: Text("content_hash");
        corrects: Row("UsageEvent", "corrects_id");
        correctedBy: Row("UsageEvent", "(SELECT c.id FROM usage_events c WHERE c.corrects_id = usage_events.id)");
        recordedBy: Text("recorded_by");
    }
    UsageDay from usage_daily {
        account: Row("Account", "account_id");
        meter: Row("Meter", "meter_id");
        day: Text("CAST(day AS TEXT)");
        dimensionValue: Text("NULLIF(dimension_value, '')");
        eventCount: Int("event_count");
        measuredValue: Long("value");
        credits: Long("credits");
        updatedAt: Time("updated_at");
    }
}
