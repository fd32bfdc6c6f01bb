// For suites whose tests are steps of one life: what comes after a failed step would only tell of the failure again.

/** To be called first in a `describe`: skips what follows a failed test. (mocha's `bail` would look at other suites' failures too.) */
export function oneLife(): void {
  let failed = false;
  beforeEach(function () {
    if (failed) this.skip();
  });
  afterEach(function () {
    failed ||= this.currentTest?.state === 'failed';
  });
}
