// Questions to the server. What changes something carries a header that other
// sites' pages cannot send.

export class Refused extends Error {
  constructor(status, message) {
    super(message);
    this.status = status;
  }
}

export async function ask(path, { body, signal } = {}) {
  const post = body !== undefined;
  let response;
  try {
    response = await fetch(path, {
      signal, method: post ? 'POST' : 'GET', credentials: 'same-origin', cache: 'no-store',
      headers: post ? { 'Content-Type': 'application/json', 'X-Flightlog': '1' } : {},
      body: post ? JSON.stringify(body) : undefined,
    });
  } catch (e) {
    if (signal?.aborted) throw e;
    throw new Refused(0, 'The service does not answer.');
  }
  if (response.ok) return response.status === 204 ? null : response.json();
  let message = `The service answers ${response.status}.`;
  try {
    message = (await response.json()).error.message;
  } catch {
    // not one of our answers
  }
  throw new Refused(response.status, message);
}

export const pathOf = (key) => key.split('/').map(encodeURIComponent).join('/');
