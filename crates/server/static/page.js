// What makes a form of ours easier to fill in. Everything works without it.
"use strict";

(function () {
  // A secret can be looked at.
  document.querySelectorAll("[data-show]").forEach(function (button) {
    var field = document.getElementById(button.dataset.show);
    var label = button.firstElementChild;
    if (!field || !label) { return; }
    var words = [label.textContent, button.dataset.hide];
    var shown = false;
    function apply() {
      label.textContent = words[shown ? 1 : 0];
      if (field.tagName === "TEXTAREA") { field.classList.toggle("masked", !shown); } else { field.type = shown ? "text" : "password"; }
    }
    button.hidden = false;
    button.addEventListener("click", function () { shown = !shown; apply(); });
    if (field.form) { field.form.addEventListener("submit", function () { shown = false; apply(); }); }
    apply();
  });

  // A document can be chosen as a file; what is sent is what stands in the field.
  document.querySelectorAll("[data-file]").forEach(function (box) {
    var field = document.getElementById(box.dataset.file);
    var picker = box.querySelector("input[type=file]");
    if (!field || !picker) { return; }
    box.hidden = false;
    picker.addEventListener("change", function () {
      var file = picker.files[0];
      var large = box.querySelector("[data-words]");
      large.textContent = file && file.size > Number(box.dataset.most) ? large.dataset.words : "";
      if (!file || large.textContent) { return; }
      file.text().then(function (text) { field.value = text; field.dispatchEvent(new Event("input", { bubbles: true })); });
    });
  });

  // A form is sent once.
  var sent = [];
  document.querySelectorAll("form[data-once]").forEach(function (form) {
    form.addEventListener("submit", function (event) {
      if (sent.indexOf(form) !== -1) { event.preventDefault(); return; }
      sent.push(form);
      var button = event.submitter;
      if (!button || button.value === "cancel") { return; }
      button.dataset.words = button.textContent;
      button.textContent = form.dataset.busy;
      button.setAttribute("aria-disabled", "true");
      // Where the way leads into an app of the device, this page stays.
      setTimeout(again, 10000);
    });
  });
  function again() {
    sent = [];
    document.querySelectorAll("[aria-disabled][data-words]").forEach(function (button) {
      button.textContent = button.dataset.words;
      button.removeAttribute("aria-disabled");
    });
  }
  // Back from the provider by the browser's button.
  window.addEventListener("pageshow", function (event) { if (event.persisted) { again(); } });

  // A code can be taken along.
  document.querySelectorAll("[data-copy]").forEach(function (button) {
    if (!navigator.clipboard) { return; }
    button.hidden = false;
    button.addEventListener("click", function () {
      navigator.clipboard.writeText(button.dataset.copy).then(function () { button.textContent = button.dataset.copied; }, function () { button.hidden = true; });
    });
  });

  // A page that waits goes on by itself, and only then says so.
  document.querySelectorAll("[data-scripted]").forEach(function (words) { words.hidden = false; });
  document.querySelectorAll("[data-state]").forEach(function (waiting) {
    var every = Math.max(1, Number(waiting.dataset.every) || 3) * 1000;
    function look() {
      fetch(waiting.dataset.state, { headers: { accept: "application/json" }, cache: "no-store", credentials: "same-origin" })
        .then(function (answer) { return answer.ok ? answer.json() : { state: answer.status < 500 ? "gone" : "open" }; })
        .then(function (said) { if (said.state === "open") { setTimeout(look, every); } else { window.location.reload(); } })
        .catch(function () { setTimeout(look, every); });
    }
    setTimeout(look, every);
  });
})();
