// Keys in browsers: asks the browser to make one or to sign, and hands its answer to the page's
// form. What is signed, and whether it counts, the server decides.
"use strict";

const bytes = (text) => Uint8Array.from(atob(text), (each) => each.charCodeAt(0));
const text = (buffer) => btoa(String.fromCharCode(...new Uint8Array(buffer)));
const plain = (id) => id.replaceAll("-", "+").replaceAll("_", "/");
const WAIT = 120_000;

async function sign(form) {
  const made = await navigator.credentials.get({
    publicKey: {
      challenge: bytes(form.dataset.sign),
      rpId: form.dataset.rp,
      allowCredentials: form.dataset.keys
        .split(" ")
        .map((id) => ({ type: "public-key", id: bytes(plain(id)) })),
      userVerification: "required",
      timeout: WAIT,
    },
  });
  form.elements.assertion.value = JSON.stringify({
    id: made.id,
    client: text(made.response.clientDataJSON),
    authenticator: text(made.response.authenticatorData),
    signature: text(made.response.signature),
  });
}

async function make(form) {
  const person = form.elements.person.value;
  const user = `${person} at ${form.dataset.authority}`;
  const made = await navigator.credentials.create({
    publicKey: {
      challenge: bytes(form.dataset.make),
      rp: { id: form.dataset.rp, name: `freezetag ${form.dataset.authority}` },
      user: { id: crypto.getRandomValues(new Uint8Array(16)), name: user, displayName: user },
      pubKeyCredParams: form.dataset.algorithms
        .split(" ")
        .map((alg) => ({ type: "public-key", alg: Number(alg) })),
      authenticatorSelection: { residentKey: "preferred", userVerification: "required" },
      attestation: "none",
      timeout: WAIT,
    },
  });
  form.elements.made.value = JSON.stringify({
    client: text(made.response.clientDataJSON),
    attestation: text(made.response.attestationObject),
  });
}

for (const said of document.querySelectorAll(".no-script")) said.remove();
for (const form of document.querySelectorAll("form.browser")) {
  const said = form.querySelector("[role=status]");
  const button = form.querySelector("button");
  form.hidden = false;
  if (!window.isSecureContext || !window.PublicKeyCredential) {
    button.disabled = true;
    said.textContent = "Browsers sign under https or at localhost alone. Signed files work here.";
  } else if (location.origin !== form.dataset.origin) {
    button.disabled = true;
    said.textContent = `Keys work at ${form.dataset.origin} alone: open the console there.`;
  }
  form.addEventListener("submit", async (event) => {
    event.preventDefault();
    said.textContent = "Waiting for the key.";
    try {
      await (form.dataset.sign ? sign(form) : make(form));
    } catch (error) {
      said.textContent = `Nothing was signed: ${error.message}`;
      return;
    }
    form.submit();
  });
}
