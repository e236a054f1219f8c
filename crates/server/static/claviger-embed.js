/*
 * The script of Claviger's page in a frame: tells the page around it how it ended, by the wire of penpal 6, which the
 * vendor's SDKs listen with, and watches the window that was opened.
 *
 * It talks to window.parent alone, and only when that is of an origin that the workspace allows. The page works without it.
 */
(function () {
  "use strict";

  var page = document.getElementById("embed");
  if (!page) { return; }
  var origins = JSON.parse(page.dataset.origins);
  var told = page.dataset.told ? JSON.parse(page.dataset.told) : null;
  var shows = page.dataset.shows;
  var framed = window.parent !== window;

  /* The page around this one. */

  var parentOrigin = null;
  var offered = [];
  var pending = {};
  var first = Date.now() * 1000 + Math.floor(Math.random() * 1000);
  var tries = 0;

  function post(message, to) {
    try { window.parent.postMessage(message, to); } catch (gone) { /* nobody is there to hear it */ }
  }

  /** Where it may be, as far as the browser says; else wherever it may be. */
  function whereabouts() {
    var ancestors = window.location.ancestorOrigins;
    var said = ancestors && ancestors.length ? ancestors[0] : null;
    if (said === null && document.referrer) {
      var from = new URL(document.referrer).origin;
      said = from === window.location.origin ? null : from;
    }
    if (said === null) { return origins; }
    return origins.indexOf(said) >= 0 ? [said] : [];
  }

  function greet() {
    if (parentOrigin !== null || tries >= 40) { return; }
    tries += 1;
    whereabouts().forEach(function (origin) { post({ penpal: "syn" }, origin); });
    setTimeout(greet, 250);
  }

  /** Calls a method of the page around, where that has it; then goes on. */
  function call(name, args, then) {
    if (parentOrigin === null || offered.indexOf(name) < 0) {
      if (then) { then(); }
      return;
    }
    var id = first;
    first += 1;
    if (then) {
      var once = function () {
        if (pending[id]) {
          delete pending[id];
          then();
        }
      };
      pending[id] = once;
      setTimeout(once, 1000);
    }
    post({ penpal: "call", id: id, methodName: name, args: args }, parentOrigin);
  }

  function hear(event) {
    if (event.source !== window.parent || origins.indexOf(event.origin) < 0) { return; }
    var data = event.data;
    if (!data || typeof data !== "object") { return; }
    if (data.penpal === "synAck" && parentOrigin === null) {
      parentOrigin = event.origin;
      offered = Array.isArray(data.methodNames) ? data.methodNames : [];
      post({ penpal: "ack", methodNames: [] }, parentOrigin);
      call("handshake", []);
      tell();
    } else if (data.penpal === "reply" && event.origin === parentOrigin && pending[data.id]) {
      pending[data.id]();
    }
  }

  /** Tells how it ended. */
  function tell() {
    if (shows === "connected") {
      call("onSuccess", [told], function () { setTimeout(close, 800); });
    } else if (shows === "closed") {
      close();
    } else if (shows === "failed") {
      call("onFailure", [told]);
    }
    var closing = document.getElementById("closing");
    closing.hidden = shows !== "connected" && shows !== "failed" && shows !== "closed";
  }

  function close() { call("close", []); }

  if (framed) {
    window.addEventListener("message", hear);
    document.getElementById("close").addEventListener("click", close);
    greet();
  }

  /* What is wrong has the keyboard: browsers don't give it to the page of a frame by themselves. */

  var problems = document.getElementById("problems");
  if (problems) { problems.focus(); }

  /* What the page waits for: that a code is entered elsewhere, or the end of a window. That may be one that an earlier page
     of this frame opened, so it is asked from the beginning. */

  var form = document.querySelector("form[data-waits]");
  if (!form) { return; }
  var check = form.querySelector("button[value=check]");
  var path = new URL(form.action).pathname;
  var asking = false;
  var over = false;

  function ask() {
    if (asking || over) { return; }
    asking = true;
    var body = new URLSearchParams({ handle: form.elements.handle.value });
    fetch(path + "/state", { method: "POST", body: body, credentials: "omit", cache: "no-store" })
      .then(function (answer) {
        // What can't be told now can be told later; that there is nothing to tell is shown by the page.
        return answer.ok ? answer.json() : { state: answer.status < 500 && answer.status !== 429 ? "gone" : "open" };
      })
      .catch(function () { return { state: "open" }; })
      .then(function (said) {
        asking = false;
        if (said.state === "open" || over) { return; }
        over = true;
        form.requestSubmit(check);
      });
  }

  setInterval(ask, 1000);

  var go = form.querySelector("button[formtarget]");
  var waiting = document.getElementById("waiting");
  if (!go || !waiting) { return; }
  var name = "claviger-" + path.split("/").pop();
  var opened = null;
  waiting.hidden = true;

  function sized() {
    var width = Math.min(Math.max(0.7 * screen.width, 480), 720);
    var height = Math.min(Math.max(0.7 * screen.height, 560), 800);
    var left = Math.max(0, (screen.width - width) / 2);
    var top = Math.max(0, (screen.height - height) / 2);
    return "popup,width=" + Math.round(width) + ",height=" + Math.round(height) +
      ",left=" + Math.round(left) + ",top=" + Math.round(top);
  }

  go.addEventListener("click", function () {
    // One window for all tries. Where none may be opened so, the form opens one itself.
    opened = window.open("", name, sized());
    go.formTarget = opened ? name : "_blank";
    if (opened) { opened.focus(); }
    waiting.hidden = false;
  });

  window.addEventListener("message", function (event) {
    if (opened && event.source === opened && event.origin === window.location.origin) { ask(); }
  });
})();
