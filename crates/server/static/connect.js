/*
 * Connects an account of the customer who looks at this page, in a window, in a frame, or by sending the browser there and
 * back. Types are in /connect.d.ts, what each option does in docs/embedding.md.
 *
 * A message counts only when it comes from the window or the frame that was opened here, and from the broker's origin.
 * Nothing that is secret is in one. The token goes there in a form's body, never in a URL.
 */

/**
 * @param {string} script The URL that this script was loaded from: the broker is at its origin.
 * @returns {(options: object) => Promise<object | null>}
 */
function connectFrom(script) {
  const SOURCE = "integration.app";

  /** @returns {Error & { data: object }} */
  function failure(message, data) {
    const error = new Error(message);
    error.name = "ClavigerError";
    error.data = data || { type: "internal", message };
    return error;
  }

  function told(errorData, text) {
    const data = errorData && typeof errorData === "object" ? errorData : { type: "connection", message: text };
    return failure(text || data.message || "This is not connected", data);
  }

  function random() {
    const bytes = crypto.getRandomValues(new Uint8Array(16));
    return Array.from(bytes, (byte) => byte.toString(16).padStart(2, "0")).join("");
  }

  /** What is given, without what is not. */
  function only(values) {
    return Object.fromEntries(Object.entries(values).filter(([, value]) => value !== undefined && value !== null));
  }

  function wish(options) {
    return only({
      integrationId: options.integrationId,
      integrationKey: options.integrationKey,
      connectionId: options.connectionId,
      connectionParameters: options.parameters,
      connectorParameters: options.connectorParameters,
      authOptionKey: options.authOptionKey,
      name: options.name,
      allowMultipleConnections: options.allowMultipleConnections ? true : undefined,
    });
  }

  /** Posts a form into a window or a frame. */
  function submit(action, target, fields) {
    const form = document.createElement("form");
    form.method = "POST";
    form.action = action;
    form.target = target;
    form.hidden = true;
    for (const [name, value] of Object.entries(fields)) {
      const input = document.createElement("input");
      input.type = "hidden";
      input.name = name;
      input.value = typeof value === "string" ? value : JSON.stringify(value);
      form.append(input);
    }
    document.body.append(form);
    form.submit();
    form.remove();
  }

  /** Where the browser is to come back to; `undefined` when it is not to be sent away. */
  function wayBack(options) {
    if (options.redirectUri === true) { return window.location.href; }
    return options.redirectUri ? String(options.redirectUri) : undefined;
  }

  async function away(origin, options) {
    const redirectUri = wayBack(options);
    if (!redirectUri) { throw failure("redirectUri is needed to send the browser away"); }
    const token = await tokenOf(options);
    submit(origin + "/connection-popup", "_self", { payload: { token, redirectUri, ...wish(options) } });
    // The page is left: there is nothing to wait for here.
    return new Promise(() => {});
  }

  async function tokenOf(options) {
    const token = typeof options.token === "function" ? await options.token() : options.token;
    if (typeof token !== "string" || token === "") { throw failure("token is needed: one that your server signed"); }
    return token;
  }

  /** A promise, and what to undo when it is settled. */
  function settling(signal, start) {
    return new Promise((resolve, reject) => {
      const undo = [];
      let over = false;
      const settle = (how) => (value) => {
        if (over) { return; }
        over = true;
        undo.reverse().forEach((one) => one());
        how(value);
      };
      const [done, fail] = [settle(resolve), settle(reject)];
      if (signal) {
        const stop = () => fail(signal.reason);
        if (signal.aborted) { stop(); return; }
        signal.addEventListener("abort", stop);
        undo.push(() => signal.removeEventListener("abort", stop));
      }
      try { start(done, fail, undo); } catch (error) { fail(error); }
    });
  }

  function listen(undo, hear) {
    window.addEventListener("message", hear);
    undo.push(() => window.removeEventListener("message", hear));
  }

  function sized() {
    const width = Math.round(Math.min(0.7 * screen.width, 1000));
    const height = Math.round(Math.min(0.7 * screen.height, 800));
    const left = Math.round((screen.width - width) / 2);
    const top = Math.round((screen.height - height) / 2);
    return `popup,width=${width},height=${height},left=${left},top=${top}`;
  }

  function popup(origin, options) {
    const requestId = random();
    const name = "claviger-" + requestId;
    // At once: a browser lets a click open a window, and nothing that comes later.
    const opened = window.open("", name, sized());
    if (!opened) {
      if (wayBack(options)) { return away(origin, options); }
      const message = "The browser does not let this page open a window";
      return Promise.reject(failure(message, { type: "internal", key: "popup_blocked", message }));
    }
    return settling(options.signal, (done, fail, undo) => {
      const end = (said) => {
        if (!said || said.source !== SOURCE || said.requestId !== requestId) { return; }
        if (said.type === "newConnectionCreated") { done(said.connection); }
        if (said.type === "newConnectionFailure") { fail(told(said.errorData, said.error)); }
      };
      listen(undo, (event) => {
        if (event.source === opened && event.origin === origin) { end(event.data); }
      });
      // A provider may cut the window off from the page that opened it: then the end is heard here alone.
      const stream = new EventSource(origin + "/sse/connection-events/" + requestId);
      undo.push(() => stream.close());
      stream.onmessage = (event) => {
        let said = null;
        try { said = JSON.parse(event.data); } catch { return; }
        end(said);
      };
      // A window that was cut off looks closed, too. Whoever is back at this page has left it, one way or the other.
      let looks = 0;
      const watch = setInterval(() => {
        looks = opened.closed && document.hasFocus() ? looks + 1 : 0;
        if (looks > 6) { done(null); }
      }, 250);
      undo.push(() => clearInterval(watch));
      undo.push(() => {
        if (options.signal && options.signal.aborted) { opened.close(); }
      });
      tokenOf(options).then(
        (token) => {
          if (opened.closed) { done(null); return; }
          submit(origin + "/connection-popup", name, { payload: { token, requestId, ...wish(options) } });
        },
        (error) => { opened.close(); fail(error); },
      );
    });
  }

  /** Where the frame goes: what the caller says, or a dialog over the page. */
  function place(options, frame, undo, closed) {
    const given = options.container;
    const container = typeof given === "string" ? document.querySelector(given) : given;
    if (given && !container) { throw failure("container is not on this page: " + String(given)); }
    Object.assign(frame.style, { border: "0", width: "100%", height: "100%", minHeight: "32rem", colorScheme: "normal" });
    if (container) {
      container.append(frame);
      undo.push(() => frame.remove());
      return;
    }
    const dialog = document.createElement("dialog");
    dialog.setAttribute("aria-label", frame.title);
    Object.assign(dialog.style, {
      border: "0", padding: "0", borderRadius: "12px", width: "min(36rem, 94vw)", height: "min(44rem, 90vh)", overflow: "hidden",
    });
    dialog.append(frame);
    document.body.append(dialog);
    const before = document.activeElement;
    dialog.showModal();
    dialog.addEventListener("close", closed);
    undo.push(() => {
      dialog.removeEventListener("close", closed);
      dialog.remove();
      if (before instanceof HTMLElement) { before.focus(); }
    });
  }

  function frame(origin, options) {
    return settling(options.signal, (done, fail, undo) => {
      const frame = document.createElement("iframe");
      frame.name = "claviger-" + random();
      frame.title = options.title || "Connect an account";
      frame.allow = "clipboard-write";
      let [made, failed, greeted] = [null, null, false];
      const closed = () => (failed && !made ? fail(failed) : done(made));
      const methods = {
        handshake() {},
        onSuccess(connection) {
          made = connection;
          // The page says so for a moment, and then that it may be closed.
          setTimeout(closed, 2500);
        },
        onFailure(errorData) { failed = told(errorData); },
        close: closed,
      };
      listen(undo, (event) => {
        const said = event.data;
        if (event.source !== frame.contentWindow || event.origin !== origin || !said) { return; }
        // The wire of penpal 6, the side of the page around a frame.
        const say = (message) => event.source && event.source.postMessage(message, origin);
        if (said.penpal === "syn") {
          greeted = true;
          say({ penpal: "synAck", methodNames: Object.keys(methods) });
        } else if (said.penpal === "call" && Object.hasOwn(methods, said.methodName)) {
          say({ penpal: "reply", id: said.id, resolution: "fulfilled" });
          methods[said.methodName](...(Array.isArray(said.args) ? said.args : []));
        }
      });
      place(options, frame, undo, closed);
      tokenOf(options).then((token) => {
        if (!frame.isConnected) { return; }
        submit(origin + "/screens/connect", frame.name, { token, ...wish(options) });
        // A browser does not say why a frame stays empty.
        const late = setTimeout(() => {
          const message = "The page did not come: is this page's origin among the workspace's allowed origins, and the token good?";
          if (!greeted) { fail(failure(message, { type: "internal", key: "not_framed", message })); }
        }, 15000);
        undo.push(() => clearTimeout(late));
      }, fail);
    });
  }

  return function connect(options) {
    try {
      const given = options || {};
      if (!given.integrationId && !given.integrationKey && !given.connectionId) {
        throw failure("One of integrationKey, integrationId and connectionId is needed");
      }
      const origin = new URL(given.origin || script || "").origin;
      switch (given.mode || "popup") {
        case "popup": return popup(origin, given);
        case "iframe": return frame(origin, given);
        case "redirect": return away(origin, given);
        default: throw failure("mode is popup, iframe or redirect");
      }
    } catch (error) {
      return Promise.reject(error instanceof Error && error.data ? error : failure(String(error && error.message)));
    }
  };
}
