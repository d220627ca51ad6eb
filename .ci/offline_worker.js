// Lets the site's search run from a folder: a browser starts no worker on a page of a file. An empty frame, which has the
// page's own origin, runs the worker's script in its place. On a page of a server this changes nothing.
//
// As with a worker, each message comes later, and is a copy that is made of the receiver's own objects.
if (location.protocol === "file:") {
  window.Worker = class extends EventTarget {
    constructor(url) {
      super();
      this.waiting = [];
      const frame = document.createElement("iframe");
      frame.hidden = true;
      document.body.append(frame);
      this.frame = frame;
      this.inside = frame.contentWindow;
      this.inside.postMessage = (data) => this.said(data);
      const script = this.inside.document.createElement("script");
      script.src = new URL(url, document.baseURI).href;
      script.onload = () => this.begun();
      script.onerror = () => this.onerror && this.onerror(new ErrorEvent("error"));
      this.inside.document.body.append(script);
    }

    begun() {
      const waiting = this.waiting;
      this.waiting = null;
      waiting.forEach((data) => this.postMessage(data));
    }

    postMessage(data) {
      if (this.waiting) {
        this.waiting.push(data);
        return;
      }
      const copy = this.inside.structuredClone(data);
      setTimeout(() => this.inside && this.inside.dispatchEvent(new MessageEvent("message", { data: copy })));
    }

    said(data) {
      const message = new MessageEvent("message", { data: structuredClone(data) });
      setTimeout(() => {
        this.dispatchEvent(message);
        if (this.onmessage) this.onmessage(message);
      });
    }

    terminate() {
      this.inside = null;
      this.frame.remove();
    }
  };
}
