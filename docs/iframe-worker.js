// A page that is opened from a disk may not start a worker: what the search runs there runs in a hidden frame of the page instead.
if (location.protocol === "file:") {
  window.Worker = class extends EventTarget {
    constructor(address) {
      super();
      const frame = document.createElement("iframe");
      frame.hidden = true;
      document.body.append(frame);
      const inside = (this.inside = frame.contentWindow);
      const script = (source) =>
        new Promise((done, failed) => {
          const one = inside.document.createElement("script");
          Object.assign(one, { src: source, onload: done, onerror: failed });
          inside.document.body.append(one);
        });
      const said = (data) => {
        const event = new MessageEvent("message", { data });
        this.dispatchEvent(event);
        if (this.onmessage) this.onmessage(event);
      };
      inside.importScripts = (...sources) => sources.reduce((before, one) => before.then(() => script(one)), Promise.resolve());
      inside.postMessage = said;
      this.ready = script(address);
    }
    postMessage(data) {
      this.ready.then(() => this.inside.dispatchEvent(new this.inside.MessageEvent("message", { data })));
    }
    terminate() {
      this.inside.frameElement.remove();
    }
  };
}
