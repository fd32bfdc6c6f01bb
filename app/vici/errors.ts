// What can go wrong between us and charon, as errors that say in `retry` when trying again makes sense. Each has the shape of
// runtime/errors.ts's WorldError, which a protocol need not know; whether and how to try again is the caller's business.

/** charon understood the command and refused it (`success = no`), or does not know it. The session goes on. */
export class ViciCommandError extends Error {
  override readonly name = 'ViciCommandError';
  /** `soon`: the same may work in a moment; `on-change`: only with another configuration; `never`: not with this charon. */
  readonly retry: 'soon' | 'on-change' | 'never';
  readonly command: string;
  /** charon's own words. */
  readonly errmsg: string;

  constructor(command: string, errmsg: string, retry: ViciCommandError['retry']) {
    super(`${command}: ${errmsg}`);
    this.command = command;
    this.errmsg = errmsg;
    this.retry = retry;
  }
}

/**
 * Bytes that break the protocol. Received ones (`soon`) have closed the session, because nothing after them can be
 * trusted; ones we refused to send (`on-change`) have not.
 */
export class ViciProtocolError extends Error {
  override readonly name = 'ViciProtocolError';
  readonly retry: 'soon' | 'on-change';

  constructor(message: string, retry: ViciProtocolError['retry'] = 'soon') {
    super(message);
    this.retry = retry;
  }
}

/** There is no connection to charon, or none any more: it was refused, lost, given up after a timeout, or closed by us. */
export class ViciClosedError extends Error {
  override readonly name = 'ViciClosedError';
  readonly retry = 'soon';
}
