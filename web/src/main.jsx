import { createGraphiQLFetcher } from '@graphiql/toolkit';
import { GraphiQL } from 'graphiql';
import { createRoot } from 'react-dom/client';
import 'graphiql/style.css';
import './page.css';

const DEFAULT_QUERY = `# Tollgate GraphQL API
#
# To authenticate, put this in the Headers
# pane below; this browser remembers it (see
# Settings, bottom left, to turn that off):
#   {"Authorization": "Bearer <token>"}
#
# Ctrl-Enter: run      Ctrl-Space: complete
# Schema documentation: icon at the top left

query PlansOnSale {
  plans {
    nodes {
      code
      name
      currentVersion {
        prices {
          amount { amount currency }
          interval
        }
      }
    }
  }
}
`;

function stored(key) {
  try {
    return localStorage.getItem(`graphiql:${key}`);
  } catch {
    return null; // storage is blocked
  }
}

function storedHeaders() {
  try {
    const { tabs, activeTabIndex } = JSON.parse(stored('tabState'));
    return JSON.parse(tabs[activeTabIndex].headers);
  } catch {
    return null;
  }
}

// The page is served from the GraphQL endpoint itself.
const send = createGraphiQLFetcher({
  url: location.pathname,
  headers: {
    accept: 'application/graphql-response+json, application/json;q=0.9',
  },
  // The server answers with one JSON document, never multipart.
  enableIncrementalDelivery: false,
});

// GraphiQL 4 loads the schema before it has filled its header editor, so the
// first request of a reloaded page would go out without the kept token.
let first = true;
function fetcher(params, options) {
  const headers = options?.headers ?? (first ? storedHeaders() : null);
  first = false;
  return send(params, { ...options, headers });
}

// GraphiQL 4 takes `true` as "switch it on at every load", so the prop must give
// way to the reader's setting; `false` would hide that setting, `undefined` does not.
const persistHeaders = stored('shouldPersistHeaders') === 'false' ? undefined : true;

createRoot(document.getElementById('graphiql')).render(
  <GraphiQL
    fetcher={fetcher}
    defaultQuery={DEFAULT_QUERY}
    defaultEditorToolsVisibility="headers"
    isHeadersEditorEnabled
    shouldPersistHeaders={persistHeaders}
  />,
);
