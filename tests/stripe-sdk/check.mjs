// Compares what Tollgate sends to Stripe with the types of Stripe's own SDK, the types of events that it knows with those
// of the SDK, and the stand-in's signature with what the SDK takes. The requests are those of tests/it/stripe_requests.rs.
import { execFileSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import Stripe from 'stripe';

const here = dirname(fileURLToPath(import.meta.url));
const read = (name) => JSON.parse(readFileSync(join(here, name), 'utf8'));

// Method and path, with * for an id, and the type of the parameters.
const TYPES = {
  'POST customers': 'CustomerCreateParams',
  'POST checkout/sessions': 'Checkout.SessionCreateParams',
  'POST checkout/sessions/*/expire': 'Checkout.SessionExpireParams',
  'POST billing_portal/sessions': 'BillingPortal.SessionCreateParams',
  'POST subscriptions': 'SubscriptionCreateParams',
  'POST subscriptions/*': 'SubscriptionUpdateParams',
  'POST subscriptions/*/resume': 'SubscriptionResumeParams',
  'DELETE subscriptions/*': 'SubscriptionCancelParams',
  'POST subscription_schedules': 'SubscriptionScheduleCreateParams',
  'POST subscription_schedules/*': 'SubscriptionScheduleUpdateParams',
  'POST subscription_schedules/*/release': 'SubscriptionScheduleReleaseParams',
  'POST invoices/create_preview': 'InvoiceCreatePreviewParams',
  'POST payment_intents': 'PaymentIntentCreateParams',
  'POST refunds': 'RefundCreateParams',
  'POST products': 'ProductCreateParams',
  'POST products/*': 'ProductUpdateParams',
  'POST prices': 'PriceCreateParams',
  'POST prices/*': 'PriceUpdateParams',
  'POST coupons': 'CouponCreateParams',
  'POST coupons/*': 'CouponUpdateParams',
  'DELETE coupons/*': 'CouponDeleteParams',
  'POST promotion_codes': 'PromotionCodeCreateParams',
  'POST promotion_codes/*': 'PromotionCodeUpdateParams',
};

// The kinds of objects, and their types.
const OBJECTS = {
  customer: 'Customer',
  'checkout.session': 'Checkout.Session',
  subscription: 'Subscription',
  subscription_schedule: 'SubscriptionSchedule',
  invoice: 'Invoice',
  payment_intent: 'PaymentIntent',
  refund: 'Refund',
};

// Words of paths that are no ids.
const WORDS = new Set(Object.keys(TYPES).flatMap((path) => path.split(/[ /]/)));

function typeOf({ method, path }) {
  const parts = path.replace(/^\/v1\//, '').split('/');
  const key = `${method} ${parts.map((part) => (WORDS.has(part) ? part : '*')).join('/')}`;
  if (!TYPES[key]) throw new Error(`no type is known for ${key}; add it to check.mjs`);
  return TYPES[key];
}

// What stays a text whatever it looks like. Where the SDK wants something else there, it complains.
const TEXTS = new Set(['metadata', 'name', 'description', 'code', 'nickname']);

// Everything is sent as text. What looks like a number or a truth value is one.
function typed(value, name = '') {
  if (TEXTS.has(name)) return value;
  if (Array.isArray(value)) return value.map((item) => typed(item));
  if (value !== null && typeof value === 'object') {
    return Object.fromEntries(Object.entries(value).map(([inner, held]) => [inner, typed(held, inner)]));
  }
  if (/^-?(0|[1-9]\d*)(\.\d+)?$/.test(value)) return Number(value);
  return { true: true, false: false }[value] ?? value;
}

// The types of `requests` are checked; gives what the compiler says, which is nothing where all are right.
function complaints(requests) {
  return told(requests.map((request) => ({
    title: `${request.method} ${request.path}`, literal: typed(request.params), type: typeOf(request),
  })));
}

// Lists tell their number of elements, which the SDK's types leave out.
function withoutCounts(value) {
  if (Array.isArray(value)) return value.map(withoutCounts);
  if (value === null || typeof value !== 'object') return value;
  const fields = Object.entries(value).filter(([name]) => value.object !== 'list' || name !== 'total_count');
  return Object.fromEntries(fields.map(([name, held]) => [name, withoutCounts(held)]));
}

// The same for objects of the stand-in: each has every field that Stripe's has, and no other.
function complaintsAboutObjects(objects) {
  return told(objects.map((object) => {
    if (!OBJECTS[object.object]) throw new Error(`no type is known for ${object.object}; add it to check.mjs`);
    return { title: `${object.object} ${object.status ?? ''}`, literal: withoutCounts(object), type: OBJECTS[object.object] };
  }));
}

function told(values) {
  const directory = mkdtempSync(join(here, 'node_modules', '.check-'));
  try {
    const lines = values.map(({ title, literal, type }, at) => {
      const text = JSON.stringify(literal, null, 2);
      return `// ${title}\nexport const request${at} = ${text} satisfies Stripe.${type};\n`;
    });
    const file = join(directory, 'requests.ts');
    writeFileSync(file, `import type { Stripe } from 'stripe';\n\n${lines.join('\n')}`);
    const tsc = join(here, 'node_modules', 'typescript', 'bin', 'tsc');
    const flags = ['--noEmit', '--strict', '--skipLibCheck', '--target', 'es2022', '--module', 'nodenext'];
    execFileSync(process.execPath, [tsc, ...flags, file], { encoding: 'utf8', cwd: here });
    return '';
  } catch (error) {
    if (!error.stdout) throw error;
    const text = readFileSync(join(directory, 'requests.ts'), 'utf8').split('\n');
    // Each complaint with the request and the line that it is about.
    return error.stdout.replace(/^.*requests\.ts\((\d+),\d+\): (.*)$/gm, (_, line, what) => {
      const before = text.slice(0, line).findLastIndex((each) => each.startsWith('export const'));
      const name = /request\d+/.exec(text[before])?.[0];
      return `[${name}] ${text[before - 1]}: ${text[line - 1].trim()}\n    ${what}`;
    });
  } finally {
    rmSync(directory, { recursive: true });
  }
}

function fail(why) {
  console.error(why);
  process.exitCode = 1;
}

const { version, requests } = read('requests.json');
if (version !== Stripe.API_VERSION && version !== new Stripe('sk_test_1').getApiField('version')) {
  fail(`Tollgate asks in version ${version}, and this SDK in ${new Stripe('sk_test_1').getApiField('version')}`);
}

const wrongRequests = complaints(requests);
if (wrongRequests) fail(`What is sent is not what Stripe's SDK would send:\n${wrongRequests}`);

const objects = read('objects.json');
const wrongObjects = complaintsAboutObjects(objects);
if (wrongObjects) fail(`What the stand-in returns is not what Stripe's SDK expects:\n${wrongObjects}`);
const { discounts, ...incomplete } = objects.find(({ object }) => object === 'subscription');
const faulty = [incomplete, { ...incomplete, discounts, status: 'sleeping' }, { ...incomplete, discounts, colour: 'red' }];
const blamedObjects = complaintsAboutObjects(faulty);
faulty.forEach((object, at) => {
  if (!blamedObjects.includes(`[request${at}]`)) fail(`the check lets pass an object that is wrong: ${Object.keys(object)}`);
});

// A check that cannot fail is none: each of these is wrong in one way.
const sessions = { method: 'POST', path: '/v1/checkout/sessions' };
const wrong = [
  { ...sessions, params: { mode: 'subscription', line_items: [{ price: 'price_1', amount: '5' }] } },
  { ...sessions, params: { mode: 'rent' } },
  { ...sessions, params: { expires_at: 'tomorrow' } },
  { ...sessions, params: { metadata: { plan: { code: 'pro' } } } },
  { method: 'POST', path: '/v1/subscriptions', params: { items: [] } },
];
const blamed = complaints(wrong);
wrong.forEach((request, at) => {
  if (!blamed.includes(`[request${at}]`)) fail(`the check lets pass what is wrong: ${JSON.stringify(request)}`);
});
try {
  typeOf({ method: 'POST', path: '/v1/unheard/of' });
  fail('the check lets pass a path that it does not know');
} catch {
  // As it should be.
}

const { secret, at, signature, body } = read('webhook.json');
const stripe = new Stripe('sk_test_1');
const event = stripe.webhooks.constructEvent(body, signature, secret, 300, undefined, at * 1000);
if (event.type !== 'product.created') fail(`the SDK reads the event as ${event.type}`);
try {
  stripe.webhooks.constructEvent(`${body} `, signature, secret, 300, undefined, at * 1000);
  fail('the SDK takes a body that was not signed');
} catch (error) {
  if (error.type !== 'StripeSignatureVerificationError') throw error;
}

// The inbox knows every type of event that the SDK does; types that it does not know have no effect.
const list = readFileSync(join(here, '../../src/inbox/stripe/event_types.txt'), 'utf8');
const known = new Set(list.split('\n').filter((line) => line && !line.startsWith('#')));
const endpoint = join(here, 'node_modules/stripe/types/WebhookEndpointsResource.d.ts');
const types = readFileSync(endpoint, 'utf8').match(/'[a-z0-9_]+(\.[a-z0-9_]+)+'/g).map((type) => type.slice(1, -1));
const events = types.filter((type) => !/^\d/.test(type));
if (events.length < 200) fail(`the SDK has ${events.length} types of events; read them from another file`);
const missing = events.filter((type) => !known.has(type));
if (missing.length) fail(`src/inbox/stripe/event_types.txt lacks ${missing.join(', ')}`);

if (!process.exitCode) console.log(`${requests.length} requests, ${objects.length} objects and a signature are as Stripe's SDK has them`);
