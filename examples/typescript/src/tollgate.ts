import type { TypedDocumentString } from "../dist/types/graphql.js";

type Answer<Data> = {
  data?: Data | null;
  errors?: { message: string; extensions?: { code?: string } }[];
};

/** What Tollgate refused, with the code that a caller acts on. */
export class TollgateError extends Error {
  constructor(
    message: string,
    readonly code: string,
  ) {
    super(`${code}: ${message}`);
  }
}

/** Asks a Tollgate; the types of the variables and of the answer come from the document. */
export async function ask<Data, Variables>(
  url: string,
  token: string,
  document: TypedDocumentString<Data, Variables>,
  variables: Variables,
): Promise<Data> {
  const response = await fetch(url, {
    method: "POST",
    headers: { "Content-Type": "application/json", Authorization: `Bearer ${token}` },
    body: JSON.stringify({ query: document.toString(), variables }),
  });
  const answer = (await response.json()) as Answer<Data>;
  const error = answer.errors?.[0];
  if (error) throw new TollgateError(error.message, error.extensions?.code ?? "UNKNOWN");
  if (!answer.data) throw new TollgateError(`no data with status ${response.status}`, "UNKNOWN");
  return answer.data;
}
