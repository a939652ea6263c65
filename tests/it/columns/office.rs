//! The columns of the catalogue, of coupons and licences, and of what operators see.

super::columns! {
    Plan from products {
        code: Text("code");
        kind: Word("kind");
        name: Text("name");
        description: Text("description");
        rank: Int("rank");
        active: Flag("active");
        createdAt: Time("created_at");
        updatedAt: Time("updated_at");
        currentVersion: Row("PlanVersion",
            "(SELECT v.id FROM product_versions v WHERE v.product_id = products.id AND v.status = 'published')");
    }
    PlanVersion from product_versions {
        versionOf: Row("Plan", "product_id");
        versionNumber: Int("number");
        stage: Word("status");
        createdAt: Time("created_at");
        publishedAt: Time("published_at");
        pastDueGraceDays: Int("past_due_grace_days");
        accessWhilePaused: Flag("access_while_paused");
        accessInTrial: Flag("access_in_trial");
    }
    EmailCampaign from email_campaigns {
        code: Text("code");
        name: Text("name");
        sentAt: Time("sent_at");
        sentCount: Int("sent_count");
        deliveredCount: Int("delivered_count");
        openedCount: Int("opened_count");
        clickedCount: Int("clicked_count");
        bouncedCount: Int("bounced_count");
        unsubscribedCount: Int("unsubscribed_count");
        reportedAt: Time("reported_at");
    }
    ErrorGroup from error_groups {
        errorType: Text("error_type");
        message: Text("message");
        errorSeverity: Word("severity");
        errorCount: Int("error_count");
        firstSeenAt: Time("first_seen_at");
        lastSeenAt: Time("last_seen_at");
        resolvedAt: Time("resolved_at");
        isResolved: Flag("COALESCE(resolved_at >= last_seen_at, FALSE)");
    }
    LoggedError from error_events {
        errorGroup: Row("ErrorGroup", "error_group_id");
        errorSeverity: Word("severity");
        message: Text("message");
        stack: Text("stack");
        release: Text("release");
        page: Text("page");
        user: Row("User", "user_id");
        properties: Json("properties");
        occurredAt: Time("occurred_at");
    }
    Experiment from experiments {
        code: Text("code");
        name: Text("name");
        conversionEvent: Text("conversion_event");
        windowSeconds: Int("window_seconds");
        plannedUnitCount: Int("planned_units");
        controlWeight: Int("control_weight");
        treatmentWeight: Int("treatment_weight");
        createdAt: Time("created_at");
        endedAt: Time("ended_at");
    }
    Funnel from funnels {
        code: Text("code");
        name: Text("name");
        steps: Json("steps");
        windowSeconds: Int("window_seconds");
        createdAt: Time("created_at");
    }
    EngagementScore from engagement_scores {
        code: Text("code");
        name: Text("name");
        createdAt: Time("created_at");
    }
    RateLimit from rate_limit_rules {
        code: Text("code");
        maxCount: Int("max_count");
        windowSeconds: Int("window_seconds");
        createdAt: Time("created_at");
        updatedAt: Time("updated_at");
    }
    Price from prices {
        version: Row("PlanVersion", "product_version_id");
        amount: Money("unit_amount_minor");
        interval: Word("interval");
        intervalCount: Int("interval_count");
        trialDays: Int("trial_days");
        active: Flag("active");
    }
    ProviderPrice from provider_prices {
        provider: Word("provider");
        externalId: Text("external_id");
        productExternalId: Text("product_external_id");
        version: Row("PlanVersion", "product_version_id");
        price: Row("Price", "price_id");
        active: Flag("active");
        packCredits: Long("credits");
        updatedAt: Time("updated_at");
    }
    Feature from features {
        code: Text("code");
        entitlementKind: Word("kind");
        name: Text("name");
        unitLabel: Text("unit");
        limitMeter: Row("Meter", "meter_id");
    }
    Meter from meters {
        code: Text("code");
        name: Text("name");
        aggregation: Word("aggregation");
        valuePath: Text("value_path");
        groupBy: Text("group_by");
        createdAt: Time("created_at");
    }
    RateCard from rate_cards {
        meter: Row("Meter", "meter_id");
        unit: Row("CreditUnit", "credit_unit_id");
        dimension: Text("dimension");
        dimensionValue: Text("dimension_value");
        startsAt: Time("starts_at");
        endsAt: Time("ends_at");
        createdBy: Text("created_by");
        createdAt: Time("created_at");
    }
    PlanFeature from product_features {
        feature: Row("Feature", "feature_id");
        value: Text("value");
        limit: Long("limit_units");
        window: Word("limit_window");
        rolloverCap: Long("rollover_cap");
        onExceed: Word("on_exceed");
        overageUnit: Row("CreditUnit", "overage_unit_id");
        overageCredits: Long("overage_credits");
    }
    CreditUnit from credit_units {
        code: Text("code");
        name: Text("name");
        decimals: Int("CAST(decimals AS BIGINT)");
    }
    CreditAllowance from credit_allowances {
        unit: Row("CreditUnit", "credit_unit_id");
        credits: Long("amount");
        cadence: Word("cadence");
        expiresAfterDays: Int("expires_after_days");
        rolloverCap: Long("rollover_cap");
        priority: Int("priority");
        onPlanChange: Word("on_plan_change");
    }
    Coupon from coupons {
        code: Text("code");
        name: Text("name");
        percentBasisPoints: Int("percent_basis_points");
        amountOff: Money("amount_off_minor");
        duration: Word("duration");
        durationMonths: Int("duration_months");
        maxRedemptions: Int("max_redemptions");
        redeemBy: Time("redeem_by");
        active: Flag("active");
        originProvider: Word("provider");
        originExternalId: Text("external_id");
        timesRedeemed: Int("times_redeemed");
        createdAt: Time("created_at");
    }
    PromoCode from promo_codes {
        coupon: Row("Coupon", "coupon_id");
        code: Text("code");
        maxRedemptions: Int("max_redemptions");
        firstPurchaseOnly: Flag("first_purchase_only");
        expiresAt: Time("expires_at");
        active: Flag("active");
        originProvider: Word("provider");
        originExternalId: Text("external_id");
        timesRedeemed: Int("times_redeemed");
        createdAt: Time("created_at");
    }
    DiscountRedemption from discount_redemptions {
        account: Row("Account", "account_id");
        coupon: Row("Coupon", "coupon_id");
        subscription: Row("Subscription", "subscription_id");
        redeemedAt: Time("redeemed_at");
        endsAt: Time("ends_at");
    }
    LicenseKey from license_keys {
        account: Row("Account", "account_id");
        keyPrefix: Text("prefix");
        licenseStatus: Word("status");
        maxDevices: Int("max_devices");
        licenseSource: Word("source");
        purchase: Row("Payment", "payment_id");
        orderProvider: Word("provider");
        orderExternalId: Text("order_external_id");
        licensedProductExternalId: Text("product_external_id");
        issuedAt: Time("created_at");
        revokedAt: Time("revoked_at");
        lastVerifiedAt: Time("last_verified_at");
    }
    Device from devices {
        account: Row("Account", "account_id");
        licenseKey: Row("LicenseKey", "license_key_id");
        fingerprint: Text("fingerprint");
        displayName: Text("name");
        os: Text("os");
        appVersion: Text("app_version");
        firstSeenAt: Time("first_seen_at");
        lastSeenAt: Time("last_seen_at");
        revokedAt: Time("revoked_at");
    }
    ApiKey from api_keys {
        name: Text("name");
        prefix: Text("prefix");
        scopes: Words("scopes");
        createdBy: Text("created_by");
        parent: Row("ApiKey", "parent_id");
        createdAt: Time("created_at");
        expiresAt: Time("expires_at");
        revokedAt: Time("revoked_at");
        lastUsedAt: Time("last_used_at");
    }
    PublishableKey from publishable_keys {
        name: Text("name");
        key: Text("key");
        origins: Words("origins");
        eventsPerMinute: Int("events_per_minute");
        createdBy: Text("created_by");
        createdAt: Time("created_at");
        revokedAt: Time("revoked_at");
    }
    AuditLogEntry from audit_log {
        at: Time("at");
        actor: Text("actor");
        action: Text("action");
        entityType: Text("entity_type");
        entityId: AnyId("entity_type", "entity_id");
        before: Json("before");
        after: Json("after");
    }
    SecurityEvent from security_events {
        suspicion: Word("kind");
        severity: Word("severity");
        subject: Text("subject");
        detail: Text("detail");
        occurrences: Int("occurrences");
        firstAt: Time("first_at");
        lastAt: Time("last_at");
        resolvedAt: Time("resolved_at");
        resolvedBy: Text("resolved_by");
        resolution: Text("resolution");
    }
    WebhookEvent from inbox_events {
        provider: Word("provider");
        externalId: Text("external_id");
        eventType: Text("kind");
        apiVersion: Text("api_version");
        objectId: Text("object_id");
        learnedBy: Word("source");
        occurredAt: Time("occurred_at");
        receivedAt: Time("received_at");
        payload: Json("payload");
        state: Word("state");
        waitsFor: Text("waits_for");
        note: Text("note");
        attempts: Int("attempts");
        nextAttemptAt: Time("next_attempt_at");
        error: Text("error");
        appliedAt: Time("applied_at");
    }
    ProviderCall from outbox_calls {
        billedAccount: Row("Account", "account_id");
        actor: Text("actor");
        callOperation: Text("operation");
        method: Text("method");
        path: Text("path");
        params: Json("params");
        sentKey: Text("idempotency_key");
        callState: Word("state");
        retriedLater: Flag("persistent");
        attempts: Int("attempts");
        keyChanges: Int("key_changes");
        objectType: Text("object_kind");
        objectId: Text("object_id");
        errorCode: Text("error_code");
        errorParam: Text("error_param");
        declineCode: Text("decline_code");
        createdAt: Time("created_at");
        triedAt: Time("tried_at");
        settledAt: Time("settled_at");
    }
}
