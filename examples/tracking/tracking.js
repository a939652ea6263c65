// Records page views and events of visitors at Tollgate, with a publishable key. README.md says how to use it.
(() => {
  'use strict';
  const { key, endpoint, consent: rule = 'required' } = document.currentScript.dataset;
  // The text of track.graphql, as it must be where only trusted documents run.
  const query = `mutation Track($decides: Boolean!, $consent: RecordConsentInput!, $events: TrackEventsInput!) {
  recordConsent(input: $consent) @include(if: $decides) { userErrors { code } }
  trackEvents(input: $events) { results { userErrors { code } } userErrors { code } }
}
`;
  const BATCH = 20;
  const MAX_QUEUE = 200;
  const MAX_FAILURES = 8;
  const DELAY_MS = 1000;

  // Storage may be blocked or full: then everything lasts as long as the page.
  const memory = {};
  const load = (name) => {
    try { return JSON.parse(localStorage.getItem(`tollgate.${name}`)) ?? memory[name]; } catch { return memory[name]; }
  };
  const save = (name, value) => {
    memory[name] = value;
    try {
      if (value === undefined) localStorage.removeItem(`tollgate.${name}`);
      else localStorage.setItem(`tollgate.${name}`, JSON.stringify(value));
    } catch { /* it stays in memory */ }
  };
  const random = () => Array.from(crypto.getRandomValues(new Uint8Array(16)), (byte) => byte.toString(16).padStart(2, '0')).join('');

  let queue = [];
  let stopped = false;
  let sending = false;
  let failures = 0;
  let timer;
  let page;

  // 'GRANTED', 'REFUSED', or undefined before a decision.
  const decision = () => load('consent');
  const mayTrack = () => (decision() ? decision() === 'GRANTED' : rule !== 'required' && !navigator.globalPrivacyControl);
  // Until a decision, events wait in memory, and nothing is stored.
  const mayWait = () => !decision() && rule === 'required';

  const visitor = () => {
    if (!mayTrack()) return null;
    if (!load('visitor')) save('visitor', random());
    return load('visitor');
  };

  const schedule = (wait) => {
    clearTimeout(timer);
    timer = setTimeout(flush, wait);
  };

  const track = (name, properties, more) => {
    if (stopped || !(mayTrack() || mayWait())) return;
    queue.push({ name, properties, ...more, dedupeKey: random(), anonymousId: visitor(), at: Date.now() });
    queue = queue.slice(-MAX_QUEUE);
    if (!failures) schedule(DELAY_MS);
  };

  const stop = () => {
    stopped = true;
    queue = [];
    clearTimeout(timer);
  };

  // The server's clock is right: only events that waited have a time of their own.
  const toSend = ({ at, anonymousId, ...event }) => ({
    ...event,
    anonymousId: anonymousId ?? visitor(),
    occurredAt: Date.now() - at > 10000 ? new Date(at).toISOString() : undefined,
  });

  async function flush(leaving) {
    const batch = mayTrack() ? queue.slice(0, BATCH) : [];
    const pending = load('pending');
    if (stopped || (sending && leaving !== true) || !(batch.length || pending)) return;
    sending = true;
    let wait = 0;
    try {
      const variables = {
        decides: Boolean(pending),
        consent: pending ?? { anonymousId: '-', decision: 'REFUSED' },
        events: { events: batch.map(toSend) },
      };
      const response = await fetch(endpoint, {
        method: 'POST',
        headers: { authorization: `Bearer ${key}`, 'content-type': 'application/json' },
        body: JSON.stringify({ query, variables }),
        credentials: 'omit',
        keepalive: leaving === true,
      });
      const { data, errors = [] } = await response.json();
      const codes = errors.map(({ extensions }) => extensions.code);
      wait = Math.max(0, ...errors.map(({ extensions }) => extensions.retryAfterSeconds ?? 0)) * 1000;
      if (codes.some((code) => ['FORBIDDEN', 'UNAUTHENTICATED', 'DOCUMENT_NOT_TRUSTED'].includes(code))) return stop();
      if (!data?.trackEvents) throw new Error(codes[0]);
      if (pending && JSON.stringify(load('pending')) === JSON.stringify(pending)) save('pending');
      // Recorded, recorded before, or refused for good.
      queue = queue.filter((event) => !batch.includes(event));
      if (load('queue')) save('queue', queue.length ? queue : undefined);
      const refusals = (data.trackEvents.results ?? []).flatMap(({ userErrors }) => userErrors.map(({ code }) => code));
      if (refusals.some((code) => code.startsWith('CONSENT_'))) return stop();
      failures = 0;
    } catch {
      // The same events again, with the same keys, so that none is recorded twice.
      failures += 1;
      wait = Math.max(wait, DELAY_MS * 2 ** failures * (0.5 + Math.random()));
    } finally {
      sending = false;
    }
    if (failures < MAX_FAILURES && (queue.length || load('pending'))) schedule(wait);
  }

  const leave = () => {
    flush(true);
    // The next page sends what this one cannot.
    if (mayTrack() && !stopped) save('queue', queue.length ? queue : undefined);
  };

  const consent = (granted) => {
    const known = load('visitor');
    save('consent', granted ? 'GRANTED' : 'REFUSED');
    const anonymousId = granted ? visitor() : known;
    if (anonymousId) save('pending', { anonymousId, decision: decision() });
    if (!granted) {
      queue = [];
      save('visitor');
      save('queue');
    }
    schedule(0);
  };

  // Makes another visitor, as after a sign-out.
  const reset = () => {
    flush(true);
    queue = [];
    save('visitor');
    if (decision() === 'GRANTED') save('pending', { anonymousId: visitor(), decision: 'GRANTED' });
  };

  // Queries and fragments may hold what is nobody's business.
  const bare = (url) => url && url.replace(/[?#].*/s, '');
  const view = () => {
    const next = bare(location.href);
    if (next === page) return;
    const referrer = page ?? bare(document.referrer);
    page = next;
    track('page_view', undefined, { page: next, referrer: referrer || undefined });
  };
  for (const name of ['pushState', 'replaceState']) {
    const original = history[name];
    history[name] = function (...args) {
      original.apply(this, args);
      view();
    };
  }
  addEventListener('popstate', view);
  addEventListener('pagehide', leave);
  addEventListener('pageshow', (event) => {
    if (event.persisted) { page = undefined; view(); }
  });
  document.addEventListener('visibilitychange', () => { if (document.visibilityState === 'hidden') leave(); });

  if (mayTrack()) {
    queue = load('queue') ?? [];
    save('queue');
  }
  window.tollgate = { track: (name, properties) => track(name, properties), consent, reset, visitor, decision };
  view();
  if (load('pending')) schedule(0);
})();
