//! The refusals of mutations that need no provider.

/// An input that a mutation refuses, with the field at fault and the message.
pub(crate) struct Refusal {
    pub(crate) mutation: &'static str,
    pub(crate) code: &'static str,
    /// Empty where no field is at fault.
    pub(crate) field: &'static str,
    pub(crate) message: &'static str,
    /// Words in capitals stand for rows of the world.
    pub(crate) input: &'static str,
}

macro_rules! refusals {
    ($($mutation:ident $code:ident $($field:ident)?: $message:literal for $input:literal;)*) => {
        pub(crate) const REFUSALS: &[Refusal] = &[$(Refusal {
            mutation: stringify!($mutation),
            code: stringify!($code),
            field: concat!("", $(stringify!($field))?),
            message: $message,
            input: $input,
        }),*];
    };
}

refusals! {
    createPlan CODE_INVALID code: "`code` must have at most 64 lower case letters, digits, '-', '_' and '.', and start with a letter."
        for r#"code: "No", kind: PLAN, name: "A", rank: 1"#;
    createPlan CODE_INVALID code: "`code` must have at most 64 lower case letters, digits, '-', '_' and '.', and start with a letter."
        for r#"code: "", kind: PLAN, name: "A", rank: 1"#;
    createPlan CODE_INVALID code: "`code` must have at most 64 lower case letters, digits, '-', '_' and '.', and start with a letter."
        for r#"code: "LONG", kind: PLAN, name: "A", rank: 1"#;
    createPlan CODE_TAKEN code: "This code is taken: choose another, since codes are unique and never change."
        for r#"code: "sold", kind: PLAN, name: "A", rank: 1"#;
    createPlan NAME_INVALID name: "`name` must have 1 to 200 characters."
        for r#"code: "a", kind: PLAN, name: " ", rank: 1"#;
    createPlan NAME_INVALID name: "`name` must have 1 to 200 characters."
        for r#"code: "a", kind: PLAN, name: "LONG", rank: 1"#;
    updatePlan NOT_FOUND planId: "Plan not found."
        for r#"planId: "NO_PLAN", name: "A""#;
    updatePlan NAME_INVALID name: "`name` must have 1 to 200 characters."
        for r#"planId: "PLAN", name: """#;
    createFeature CODE_INVALID code: "`code` must have at most 64 lower case letters, digits, '-', '_' and '.', and start with a letter."
        for r#"code: "1st", kind: SWITCH, name: "A""#;
    createFeature CODE_TAKEN code: "This code is taken: choose another, since codes are unique and never change."
        for r#"code: "export", kind: LIMIT, name: "A""#;
    createFeature NAME_INVALID name: "`name` must have 1 to 200 characters."
        for r#"code: "a", kind: SWITCH, name: """#;
    createFeature METER_NOT_FOUND meter: "Meter not found: create it with `createMeter`, or omit `meter` to get one of the feature's own."
        for r#"code: "a", kind: LIMIT, name: "A", meter: "no""#;
    createFeature METER_INVALID meter: "Only a feature of the kind LIMIT counts on a meter: omit `meter`."
        for r#"code: "a", kind: SWITCH, name: "A", meter: "tokens""#;
    createMeter CODE_INVALID code: "`code` must have at most 64 lower case letters, digits, '-', '_' and '.', and start with a letter."
        for r#"code: "1st", name: "A", aggregation: SUM"#;
    createMeter CODE_TAKEN code: "This code is taken: choose another, since codes are unique and never change."
        for r#"code: "tokens", name: "A", aggregation: SUM"#;
    createMeter NAME_INVALID name: "`name` must have 1 to 200 characters."
        for r#"code: "a", name: "", aggregation: SUM"#;
    createMeter VALUE_PATH_INVALID valuePath: "`valuePath` must be up to five names of letters, digits, `_` and `-`, separated by dots."
        for r#"code: "a", name: "A", aggregation: SUM, valuePath: "a..b""#;
    createMeter VALUE_PATH_INVALID valuePath: "A meter that counts different values needs `valuePath`, the path of that value."
        for r#"code: "a", name: "A", aggregation: UNIQUE"#;
    createMeter VALUE_PATH_INVALID valuePath: "A meter that counts events takes no value: omit `valuePath`."
        for r#"code: "a", name: "A", aggregation: COUNT, valuePath: "a""#;
    createMeter GROUP_BY_INVALID groupBy: "`groupBy` must be up to five names of letters, digits, `_` and `-`, separated by dots."
        for r#"code: "a", name: "A", aggregation: SUM, groupBy: """#;
    createMeter GROUP_BY_INVALID groupBy: "The different values of parts do not add up: omit `groupBy`."
        for r#"code: "a", name: "A", aggregation: UNIQUE, valuePath: "a", groupBy: "b""#;
    createRateCard METER_NOT_FOUND meter: "Meter not found: create it with `createMeter`."
        for r#"meter: "no", unit: "credit", ONE_RATE"#;
    createRateCard UNIT_NOT_FOUND unit: "Credit unit not found."
        for r#"meter: "tokens", unit: "no", ONE_RATE"#;
    createRateCard UNIT_INVALID unit: "The other rate cards of this meter cost credits of another unit: use that one."
        for r#"meter: "tokens", unit: "other", ONE_RATE"#;
    createRateCard DIMENSION_INVALID dimension: "`dimension` must be a path such as `model`, and `dimensionValue` its value of 1 to 255 bytes."
        for r#"meter: "tokens", unit: "credit", dimension: "model", ONE_RATE"#;
    createRateCard DIMENSION_INVALID dimension: "The rate cards of this meter look at the dimension `model`: use the same one."
        for r#"meter: "tokens", unit: "credit", dimension: "region", dimensionValue: "eu", ONE_RATE"#;
    createRateCard RATES_INVALID rates: "A rate card must have 1 to 20 rates."
        for r#"meter: "tokens", unit: "credit", rates: []"#;
    createRateCard RATES_INVALID rates: "`credits` must be 0 to 1,000,000,000 steps."
        for r#"meter: "tokens", unit: "credit", rates: [{quantity: "value", credits: -1}]"#;
    createRateCard RATES_INVALID rates: "`per` must be 1 to 1,000,000,000,000."
        for r#"meter: "tokens", unit: "credit", rates: [{quantity: "value", credits: 1, per: 0}]"#;
    createRateCard STARTS_AT_INVALID startsAt: "`startsAt` must not be more than 400 days in the past: older events are not accepted."
        for r#"meter: "tokens", unit: "credit", startsAt: "2024-12-11T11:59:59Z", ONE_RATE"#;
    createRateCard ENDS_AT_INVALID endsAt: "`endsAt` must be in the future and after `startsAt`."
        for r#"meter: "tokens", unit: "credit", endsAt: "2026-01-15T12:00:00Z", ONE_RATE"#;
    createRateCard RATE_CARD_OVERLAPS startsAt: "Another rate card prices the same events in this time: end it with `endRateCard` first."
        for r#"meter: "tokens", unit: "credit", dimension: "model", dimensionValue: "a", ONE_RATE"#;
    endRateCard NOT_FOUND rateCardId: "Rate card not found."
        for r#"rateCardId: "NO_CARD""#;
    endRateCard ALREADY_ENDED rateCardId: "The rate card has ended: create another one."
        for r#"rateCardId: "PAST_CARD""#;
    endRateCard ENDS_AT_INVALID endsAt: "`endsAt` must not be in the past, and be after the start of the card and before the end that it has: create another card for the time after it."
        for r#"rateCardId: "CARD", endsAt: "2026-01-15T11:00:00Z""#;
    correctUsage NOT_FOUND usageEventId: "Usage event not found."
        for r#"usageEventId: "NO_USAGE", KEY"#;
    correctUsage ALREADY_CORRECTED usageEventId: "The event was corrected before: record the usage again with `recordUsage` if it was right."
        for r#"usageEventId: "TAKEN_BACK", KEY"#;
    correctUsage IS_CORRECTION usageEventId: "The event is a correction itself: record the usage again with `recordUsage`."
        for r#"usageEventId: "CORRECTION", KEY"#;
    correctUsage REASON_INVALID reason: "`reason` must have at most 500 characters."
        for r#"usageEventId: "NO_USAGE", reason: "LONG", KEY"#;
    createCreditUnit CODE_INVALID code: "`code` must have at most 64 lower case letters, digits, '-', '_' and '.', and start with a letter."
        for r#"code: "ä", name: "A""#;
    createCreditUnit CODE_TAKEN code: "This code is taken: choose another, since codes are unique and never change."
        for r#"code: "credit", name: "A""#;
    createCreditUnit NAME_INVALID name: "`name` must have 1 to 200 characters."
        for r#"code: "a", name: """#;
    createCreditUnit DECIMALS_INVALID decimals: "`decimals` must be 0 to 12."
        for r#"code: "a", name: "A", decimals: 13"#;
    createCreditUnit DECIMALS_INVALID decimals: "`decimals` must be 0 to 12."
        for r#"code: "a", name: "A", decimals: -1"#;
    createCreditUnit DECIMALS_INVALID decimals: "`decimals` must be 0 to 12."
        for r#"code: "a", name: "A", decimals: 65536"#;
    createPlanVersion NOT_FOUND planId: "Plan not found."
        for r#"planId: "NO_PLAN", prices: []"#;
    createPlanVersion PRICE_INVALID prices: "A version can have only one price for each currency and interval."
        for r#"planId: "PLAN", prices: [PRICE, PRICE]"#;
    createPlanVersion PRICE_INVALID prices: "An amount must be 0 to 1,000,000,000,000 minor units."
        for r#"planId: "PLAN", prices: [MINUS]"#;
    createPlanVersion FEATURE_INVALID features: "Feature \"no\" not found: create it with `createFeature`."
        for r#"planId: "PLAN", prices: [], features: [{feature: "no"}]"#;
    createPlanVersion FEATURE_INVALID features: "A version can list a feature only once for each window."
        for r#"planId: "PLAN", prices: [], features: [FEATURE, FEATURE]"#;
    createPlanVersion ALLOWANCE_INVALID creditAllowances: "Credit unit \"no\" not found: create it with `createCreditUnit`."
        for r#"planId: "PLAN", prices: [], creditAllowances: [NO_UNIT]"#;
    createPlanVersion ALLOWANCE_INVALID creditAllowances: "An amount must be 1 to 1,000,000,000,000 steps, an expiry 1 to 36,500 days, and a cap not negative."
        for r#"planId: "PLAN", prices: [], creditAllowances: [ZERO]"#;
    updatePlanVersion NOT_FOUND planVersionId: "Plan version not found."
        for r#"planVersionId: "NO_VERSION", prices: []"#;
    updatePlanVersion ALREADY_PUBLISHED planVersionId: "A published version never changes, since somebody may have bought it: create a new one."
        for r#"planVersionId: "PUBLISHED", prices: []"#;
    updatePlanVersion PRICE_INVALID prices: "An interval count must be 1 to 365, and a trial 1 to 730 days."
        for r#"planVersionId: "DRAFT", prices: [{currency: "USD", unitAmount: 1, interval: DAY, intervalCount: 366}]"#;
    updatePlanVersion FEATURE_INVALID features: "Limits and caps must not be negative: omit a limit for unlimited use."
        for r#"planVersionId: "DRAFT", prices: [], features: [{feature: "export", limit: -1}]"#;
    updatePlanVersion ALLOWANCE_INVALID creditAllowances: "An amount must be 1 to 1,000,000,000,000 steps, an expiry 1 to 36,500 days, and a cap not negative."
        for r#"planVersionId: "DRAFT", prices: [], creditAllowances: [ZERO]"#;
    publishPlanVersion NOT_FOUND planVersionId: "Plan version not found."
        for r#"planVersionId: "NO_VERSION""#;
    publishPlanVersion ALREADY_PUBLISHED planVersionId: "A published version never changes, since somebody may have bought it: create a new one."
        for r#"planVersionId: "PUBLISHED""#;
    publishPlanVersion PRICE_MISSING planVersionId: "A version needs a price to be published: give a free one the price 0."
        for r#"planVersionId: "UNPRICED""#;
    spendCredits ACCOUNT_NOT_FOUND accountId: "Account not found."
        for r#"accountId: "NO_ACCOUNT", unit: "credit", amount: 1, KEY"#;
    spendCredits UNIT_NOT_FOUND unit: "Credit unit not found."
        for r#"accountId: "ACCOUNT", unit: "no", amount: 1, KEY"#;
    spendCredits AMOUNT_INVALID amount: "`amount` must be 1 to 1,000,000,000,000,000 steps."
        for r#"accountId: "ACCOUNT", unit: "credit", amount: 0, KEY"#;
    spendCredits INSUFFICIENT_CREDITS amount: "1000 credits are needed, and 4 are available: grant or buy more."
        for r#"accountId: "ACCOUNT", unit: "credit", amount: 1000, KEY"#;
    spendCredits REASON_INVALID reason: "`reason` must have at most 500 characters."
        for r#"accountId: "ACCOUNT", unit: "credit", amount: 1, reason: "LONG", KEY"#;
    spendCredits REFERENCE_INVALID refType: "`refType` and `refId` must each have 1 to 255 bytes."
        for r#"accountId: "ACCOUNT", unit: "credit", amount: 1, refType: "message", KEY"#;
    holdCredits ACCOUNT_NOT_FOUND accountId: "Account not found."
        for r#"accountId: "NO_ACCOUNT", unit: "credit", amount: 1, KEY"#;
    holdCredits UNIT_NOT_FOUND unit: "Credit unit not found."
        for r#"accountId: "ACCOUNT", unit: "no", amount: 1, KEY"#;
    holdCredits AMOUNT_INVALID amount: "`amount` must be 1 to 1,000,000,000,000,000 steps."
        for r#"accountId: "ACCOUNT", unit: "credit", amount: 0, KEY"#;
    holdCredits INSUFFICIENT_CREDITS amount: "1000 credits are needed, and 4 are available: grant or buy more."
        for r#"accountId: "ACCOUNT", unit: "credit", amount: 1000, KEY"#;
    holdCredits REASON_INVALID reason: "`reason` must have at most 500 characters."
        for r#"accountId: "ACCOUNT", unit: "credit", amount: 1, reason: "LONG", KEY"#;
    holdCredits REFERENCE_INVALID refType: "`refType` and `refId` must each have 1 to 255 bytes."
        for r#"accountId: "ACCOUNT", unit: "credit", amount: 1, refType: "message", KEY"#;
    holdCredits EXPIRY_INVALID expiresAt: "A hold can last at most 366 days."
        for r#"accountId: "ACCOUNT", unit: "credit", amount: 1, expiresAt: "2100-01-01T00:00:00Z", KEY"#;
    holdCredits EXPIRY_INVALID expiresAt: "`expiresAt` must be in the future."
        for r#"accountId: "ACCOUNT", unit: "credit", amount: 1, expiresAt: "2020-01-01T00:00:00Z", KEY"#;
    setAccountTimeZone ACCOUNT_NOT_FOUND accountId: "Account not found."
        for r#"accountId: "NO_ACCOUNT", timeZone: "UTC""#;
    setAccountTimeZone TIME_ZONE_INVALID timeZone: "`timeZone` must be a name of the IANA database, such as `Europe/Berlin`."
        for r#"accountId: "ACCOUNT", timeZone: "Mars/Base""#;
    grantCredits ACCOUNT_NOT_FOUND accountId: "Account not found."
        for r#"accountId: "NO_ACCOUNT", unit: "credit", amount: 1, KEY"#;
    grantCredits UNIT_NOT_FOUND unit: "Credit unit not found."
        for r#"accountId: "ACCOUNT", unit: "no", amount: 1, KEY"#;
    grantCredits AMOUNT_INVALID amount: "`amount` must be 1 to 1,000,000,000,000,000 steps."
        for r#"accountId: "ACCOUNT", unit: "credit", amount: 0, KEY"#;
    grantCredits AMOUNT_INVALID amount: "`amount` must be 1 to 1,000,000,000,000,000 steps."
        for r#"accountId: "ACCOUNT", unit: "credit", amount: -1, KEY"#;
    grantCredits AMOUNT_INVALID amount: "`amount` must be 1 to 1,000,000,000,000,000 steps."
        for r#"accountId: "ACCOUNT", unit: "credit", amount: "9223372036854775807", KEY"#;
    grantCredits EXPIRY_INVALID expiresAt: "`expiresAt` must be in the future."
        for r#"accountId: "ACCOUNT", unit: "credit", amount: 1, expiresAt: "2026-01-15T12:00:00Z", KEY"#;
    grantCredits REASON_INVALID reason: "`reason` must have at most 500 characters."
        for r#"accountId: "ACCOUNT", unit: "credit", amount: 1, reason: "LONG", KEY"#;
    createApiKey NAME_INVALID name: "`name` must have 1 to 100 characters."
        for r#"name: "", scopes: ["keys:write"]"#;
    createApiKey NAME_INVALID name: "`name` must have 1 to 100 characters."
        for r#"name: "LONG", scopes: ["keys:write"]"#;
    createApiKey SCOPE_INVALID scopes: "Unknown scope. The scopes are billing:read, billing:write, catalogue:write, credits:write, keys:write, \
            analytics:read, events:write, audit:read, operations:read, operations:write."
        for r#"name: "a", scopes: ["everything"]"#;
    createApiKey EXPIRY_INVALID expiresAt: "`expiresAt` must be in the future."
        for r#"name: "a", scopes: ["keys:write"], expiresAt: "2026-01-15T12:00:00Z""#;
    createPurchaseReference ACCOUNT_NOT_FOUND accountId: "Account not found."
        for r#"provider: STRIPE, accountId: "NO_ACCOUNT""#;
    createPurchaseReference PROVIDER_INVALID provider: "`provider` must be `STRIPE` or `PADDLE`."
        for r#"provider: MANUAL, accountId: "ACCOUNT""#;
    createPurchaseReference LIFETIME_INVALID validForSeconds: "`validForSeconds` must be 60 to 604800."
        for r#"provider: PADDLE, accountId: "ACCOUNT", validForSeconds: 59"#;
    createPurchaseReference LIFETIME_INVALID validForSeconds: "`validForSeconds` must be 60 to 604800."
        for r#"provider: STRIPE, accountId: "ACCOUNT", validForSeconds: 604801"#;
    createPurchaseReference LIFETIME_INVALID validForSeconds: "`validForSeconds` must be 60 to 604800."
        for r#"provider: STRIPE, accountId: "ACCOUNT", validForSeconds: -1"#;
    revokeApiKey NOT_FOUND apiKeyId: "API key not found."
        for r#"apiKeyId: "NO_KEY""#;
    createPublishableKey NAME_INVALID name: "`name` must have 1 to 100 characters."
        for r#"name: "", origins: ["https://a.example"]"#;
    createPublishableKey ORIGIN_INVALID origins: "`origins` must be 1 to 20 origins."
        for r#"name: "a", origins: []"#;
    createPublishableKey ORIGIN_INVALID origins: "Each of `origins` must be an origin such as https://www.example.com, without a path."
        for r#"name: "a", origins: ["https://a.example", "https://a.example/shop"]"#;
    createPublishableKey ORIGIN_INVALID origins: "Each of `origins` must be an origin such as https://www.example.com, without a path."
        for r#"name: "a", origins: ["https://*.example"]"#;
    createPublishableKey RATE_INVALID eventsPerMinute: "`eventsPerMinute` must be 1,000 to 1,000,000."
        for r#"name: "a", origins: ["https://a.example"], eventsPerMinute: 999"#;
    createPublishableKey RATE_INVALID eventsPerMinute: "`eventsPerMinute` must be 1,000 to 1,000,000."
        for r#"name: "a", origins: ["https://a.example"], eventsPerMinute: 1000001"#;
    createPublishableKey TOO_MANY_KEYS: "There are 100 publishable keys that are not revoked: revoke one first."
        for r#"name: "a", origins: ["https://a.example"]"#;
    revokePublishableKey NOT_FOUND publishableKeyId: "Publishable key not found."
        for r#"publishableKeyId: "NO_PUBLISHABLE""#;
    issueLicenseKey ACCOUNT_NOT_FOUND accountId: "Account not found."
        for r#"accountId: "NO_ACCOUNT", KEY"#;
    issueLicenseKey MAX_DEVICES_INVALID maxDevices: "`maxDevices` must be 1 to 10,000."
        for r#"accountId: "ACCOUNT", maxDevices: 0, KEY"#;
    issueLicenseKey MAX_DEVICES_INVALID maxDevices: "`maxDevices` must be 1 to 10,000."
        for r#"accountId: "ACCOUNT", maxDevices: 10001, KEY"#;
    revealLicenseKey NOT_FOUND licenseKeyId: "Licence not found."
        for r#"licenseKeyId: "NO_LICENCE""#;
    revealLicenseKey KEY_ALREADY_SHOWN licenseKeyId: "The key was shown before: replace it with `replaceLicenseKey`."
        for r#"licenseKeyId: "SHOWN""#;
    revealLicenseKey LICENSE_REVOKED licenseKeyId: "The licence was revoked."
        for r#"licenseKeyId: "ENDED""#;
    replaceLicenseKey NOT_FOUND licenseKeyId: "Licence not found."
        for r#"licenseKeyId: "NO_LICENCE""#;
    replaceLicenseKey LICENSE_REVOKED licenseKeyId: "The licence was revoked."
        for r#"licenseKeyId: "ENDED""#;
    revokeLicenseKey NOT_FOUND licenseKeyId: "Licence not found."
        for r#"licenseKeyId: "NO_LICENCE""#;
    revokeLicenseKey REASON_INVALID reason: "`reason` must have at most 500 characters."
        for r#"licenseKeyId: "SHOWN", reason: "LONG""#;
    registerDevice LICENSE_INVALID key: "No licence has this key: check it for typing errors."
        for r#"key: "TG", fingerprint: "a""#;
    registerDevice LICENSE_REVOKED key: "The licence was revoked."
        for r#"key: "SPENT", fingerprint: "a""#;
    registerDevice DEVICE_LIMIT_REACHED key: "The licence is used on 3 of 3 devices: revoke one first."
        for r#"key: "FULL", fingerprint: "a""#;
    registerDevice FINGERPRINT_INVALID fingerprint: "`fingerprint` must have 1 to 200 characters."
        for r#"key: "FULL", fingerprint: """#;
    registerDevice FINGERPRINT_INVALID fingerprint: "`fingerprint` must have 1 to 200 characters."
        for r#"key: "FULL", fingerprint: "LONG""#;
    registerDevice TEXT_TOO_LONG name: "This text must have at most 200 characters."
        for r#"key: "FULL", fingerprint: "a", name: "LONG""#;
    registerDevice TEXT_TOO_LONG os: "This text must have at most 200 characters."
        for r#"key: "FULL", fingerprint: "a", os: "LONG""#;
    registerDevice TEXT_TOO_LONG appVersion: "This text must have at most 200 characters."
        for r#"key: "FULL", fingerprint: "a", appVersion: "LONG""#;
    revokeDevice NOT_FOUND deviceId: "Device not found."
        for r#"deviceId: "NO_DEVICE""#;
    resolveSecurityEvent NOT_FOUND securityEventId: "Security event not found."
        for r#"securityEventId: "NO_EVENT", resolution: "a""#;
    resolveSecurityEvent RESOLUTION_INVALID resolution: "`resolution` must have 1 to 500 characters."
        for r#"securityEventId: "NO_EVENT", resolution: " ""#;
    resolveSecurityEvent RESOLUTION_INVALID resolution: "`resolution` must have 1 to 500 characters."
        for r#"securityEventId: "NO_EVENT", resolution: "LONG""#;
    replayWebhookEvent NOT_FOUND webhookEventId: "No event to apply: it does not exist, or is ignored for the reason in its `note`."
        for r#"webhookEventId: "NO_WEBHOOK""#;
    replayWebhookEvents STATE_INVALID filter: "No ignored event to apply: only those can be applied whose type this version knows and the one that received them did not."
        for "filter: {state: [IGNORED]}";
    reconcile SINCE_INVALID since: "`since` must not be in the future."
        for r#"since: "2036-01-01T00:00:00Z""#;
    reconcile NOT_CONFIGURED: "Stripe cannot be asked without a key: set `stripe_api_key`."
        for r#"since: "2024-01-01T00:00:00Z""#;
    resyncAccount NOT_FOUND accountId: "Account not found."
        for r#"accountId: "NO_ACCOUNT""#;
    resyncAccount NOT_CONFIGURED: "Stripe cannot be asked without a key: set `stripe_api_key`."
        for r#"accountId: "ACCOUNT""#;
    createPlanVersion FEATURE_INVALID features: "Credits for units beyond the limit need `onExceed: OVERAGE`."
        for r#"planId: "PLAN", prices: [], features: [{feature: "export", overage: {unit: "credit", credits: 1}}]"#;
    createPlanVersion FEATURE_INVALID features: "A rollover cap needs a limit and a window: nothing else can be left over."
        for r#"planId: "PLAN", prices: [], features: [{feature: "export", rolloverCap: 1, window: DAY}]"#;
    createPlanVersion GRACE_DAYS_INVALID pastDueGraceDays: "`pastDueGraceDays` must be 0 to 365: omit it for access as long as a payment is due."
        for r#"planId: "PLAN", prices: [], pastDueGraceDays: 366"#;
    updatePlanVersion GRACE_DAYS_INVALID pastDueGraceDays: "`pastDueGraceDays` must be 0 to 365: omit it for access as long as a payment is due."
        for r#"planVersionId: "DRAFT", prices: [], pastDueGraceDays: -1"#;
    setEntitlementOverride ACCOUNT_NOT_FOUND accountId: "Account not found."
        for r#"accountId: "NO_ACCOUNT", feature: "export", reason: "r""#;
    setEntitlementOverride FEATURE_NOT_FOUND feature: "Feature not found."
        for r#"accountId: "ACCOUNT", feature: "no", reason: "r""#;
    setEntitlementOverride LIMIT_INVALID limit: "`limit` must not be negative: leave it out for unlimited use."
        for r#"accountId: "ACCOUNT", feature: "export", limit: -1, reason: "r""#;
    setEntitlementOverride LIMIT_INVALID limit: "`limit` and `window` are for an override that gives a feature of the kind LIMIT or CREDIT."
        for r#"accountId: "ACCOUNT", feature: "export", limit: 1, reason: "r""#;
    setEntitlementOverride VALUE_INVALID value: "`value` is for an override that gives a feature of the kind CONFIG, which needs one."
        for r#"accountId: "ACCOUNT", feature: "export", value: "v", reason: "r""#;
    setEntitlementOverride REASON_INVALID reason: "`reason` must have 1 to 500 characters."
        for r#"accountId: "ACCOUNT", feature: "export", reason: " ""#;
    setEntitlementOverride EXPIRY_INVALID expiresAt: "`expiresAt` must be in the future."
        for r#"accountId: "ACCOUNT", feature: "export", reason: "r", expiresAt: "2020-01-01T00:00:00Z""#;
    revokeEntitlementOverride NOT_FOUND entitlementOverrideId: "Override not found."
        for r#"entitlementOverrideId: "NO_OVERRIDE""#;
    revokeEntitlementOverride ALREADY_REVOKED entitlementOverrideId: "The override is already revoked."
        for r#"entitlementOverrideId: "REVOKED""#;
    createRateLimit CODE_INVALID code: "`code` must have at most 64 lower case letters, digits, '-', '_' and '.', and start with a letter."
        for r#"code: "1st", maxCount: 1, windowSeconds: 1"#;
    createRateLimit CODE_TAKEN code: "This code is taken: choose another, since codes are unique and never change."
        for r#"code: "logins", maxCount: 1, windowSeconds: 1"#;
    createRateLimit COUNT_INVALID maxCount: "`maxCount` must be 0 to 1,000,000,000."
        for r#"code: "a", maxCount: -1, windowSeconds: 1"#;
    createRateLimit WINDOW_INVALID windowSeconds: "`windowSeconds` must be 1 to 31,622,400."
        for r#"code: "a", maxCount: 1, windowSeconds: 0"#;
    updateRateLimit NOT_FOUND rateLimitId: "Rate limit not found."
        for r#"rateLimitId: "NO_LIMIT", maxCount: 1"#;
    updateRateLimit COUNT_INVALID maxCount: "`maxCount` must be 0 to 1,000,000,000."
        for r#"rateLimitId: "NO_LIMIT", maxCount: 1000000001"#;
    updateRateLimit WINDOW_INVALID windowSeconds: "`windowSeconds` must be 1 to 31,622,400."
        for r#"rateLimitId: "NO_LIMIT", windowSeconds: 31622401"#;
    takeRateLimit NOT_FOUND code: "Rate limit not found."
        for r#"code: "no", identifier: "a""#;
    takeRateLimit IDENTIFIER_INVALID identifier: "`identifier` must be 1 to 255 bytes long, without NUL."
        for r#"code: "logins", identifier: """#;
    takeRateLimit COUNT_INVALID count: "`count` must be 1 to 1,000,000,000."
        for r#"code: "logins", identifier: "a", count: 0"#;
    createExperiment CODE_INVALID code: "`code` must have at most 64 lower case letters, digits, '-', '_' and '.', and start with a letter."
        for r#"code: "1st", name: "A", conversionEvent: "paid", windowSeconds: 1, plannedUnitCount: 1"#;
    createExperiment CODE_TAKEN code: "This code is taken: choose another, since codes are unique and never change."
        for r#"code: "checkout", name: "A", conversionEvent: "paid", windowSeconds: 1, plannedUnitCount: 1"#;
    createExperiment NAME_INVALID name: "`name` must have 1 to 200 characters."
        for r#"code: "a", name: " ", conversionEvent: "paid", windowSeconds: 1, plannedUnitCount: 1"#;
    createExperiment EVENT_INVALID conversionEvent: "`conversionEvent` must be 1 to 64 bytes long, without control characters and surrounding spaces."
        for r#"code: "a", name: "A", conversionEvent: "", windowSeconds: 1, plannedUnitCount: 1"#;
    createExperiment WINDOW_INVALID windowSeconds: "`windowSeconds` must be 1 to 31,622,400."
        for r#"code: "a", name: "A", conversionEvent: "paid", windowSeconds: 31622401, plannedUnitCount: 1"#;
    createExperiment PLANNED_UNITS_INVALID plannedUnitCount: "`plannedUnitCount` must be 1 to 1,000,000,000."
        for r#"code: "a", name: "A", conversionEvent: "paid", windowSeconds: 1, plannedUnitCount: 0"#;
    createExperiment WEIGHT_INVALID controlWeight: "`controlWeight` must be 1 to 1,000,000."
        for r#"code: "a", name: "A", conversionEvent: "paid", windowSeconds: 1, plannedUnitCount: 1, controlWeight: 0"#;
    createExperiment WEIGHT_INVALID treatmentWeight: "`treatmentWeight` must be 1 to 1,000,000."
        for r#"code: "a", name: "A", conversionEvent: "paid", windowSeconds: 1, plannedUnitCount: 1, treatmentWeight: 1000001"#;
    createFunnel CODE_INVALID code: "`code` must have at most 64 lower case letters, digits, '-', '_' and '.', and start with a letter."
        for r#"code: "1st", name: "A", steps: ["a", "b"], windowSeconds: 1"#;
    createFunnel CODE_TAKEN code: "This code is taken: choose another, since codes are unique and never change."
        for r#"code: "checkout", name: "A", steps: ["a", "b"], windowSeconds: 1"#;
    createFunnel NAME_INVALID name: "`name` must have 1 to 200 characters."
        for r#"code: "a", name: " ", steps: ["a", "b"], windowSeconds: 1"#;
    createFunnel STEPS_INVALID steps: "`steps` must have 2 to 10 names of events, each 1 to 64 bytes long, without control characters and surrounding spaces."
        for r#"code: "a", name: "A", steps: ["a"], windowSeconds: 1"#;
    createFunnel WINDOW_INVALID windowSeconds: "`windowSeconds` must be 0 to 31,622,400, which is 366 days."
        for r#"code: "a", name: "A", steps: ["a", "b"], windowSeconds: 31622401"#;
    createEngagementScore CODE_INVALID code: "`code` must have at most 64 lower case letters, digits, '-', '_' and '.', and start with a letter."
        for r#"code: "1st", name: "A", weights: [{eventName: "a", weight: 1}]"#;
    createEngagementScore CODE_TAKEN code: "This code is taken: choose another, since codes are unique and never change."
        for r#"code: "checkout", name: "A", weights: [{eventName: "a", weight: 1}]"#;
    createEngagementScore NAME_INVALID name: "`name` must have 1 to 200 characters."
        for r#"code: "a", name: " ", weights: [{eventName: "a", weight: 1}]"#;
    createEngagementScore WEIGHTS_INVALID weights: "`weights` must have 1 to 20 different names of events, with weights of 1 to 1,000."
        for r#"code: "a", name: "A", weights: [{eventName: "a", weight: 1}, {eventName: "a", weight: 2}]"#;
    endExperiment NOT_FOUND experimentId: "Experiment not found."
        for r#"experimentId: "NO_EXPERIMENT""#;
    endExperiment ALREADY_ENDED experimentId: "The experiment has already ended."
        for r#"experimentId: "PAST_EXPERIMENT""#;
    assignVariant NOT_FOUND code: "Experiment not found: create it with `createExperiment`."
        for r#"code: "no", anonymousId: "a""#;
    assignVariant USER_NOT_FOUND userId: "User not found."
        for r#"code: "checkout", userId: "NO_USER""#;
    assignVariant ANONYMOUS_ID_INVALID anonymousId: "`anonymousId` must be 1 to 255 bytes long, without NUL."
        for r#"code: "checkout", anonymousId: """#;
    assignVariant EXPERIMENT_ENDED code: "The experiment has ended, and this unit has no variant: show the product as it is."
        for r#"code: "past", anonymousId: "a""#;
}
