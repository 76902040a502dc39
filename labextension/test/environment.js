const { TestEnvironment } = require('jest-environment-jsdom');

/** jsdom with what browsers have and it has not: Node's own. */
module.exports = class extends TestEnvironment {
  async setup() {
    await super.setup();
    Object.assign(this.global, {
      fetch,
      Headers,
      Request,
      Response,
      TextDecoder,
      TextEncoder,
      Uint8Array
    });
  }
};
