// Opens the page without a network, from what it kept (`keep` in app.js). Where there is a network every file is asked for
// anew, so that a page that was replaced is never shown.
self.oninstall = () => self.skipWaiting();

self.onfetch = (event) => {
  const {request} = event;
  event.respondWith(fetch(request, {cache: 'no-cache'}).catch(() => kept(request)));
  if (request.mode === 'navigate') event.waitUntil(leave().catch(() => {}));
};

async function kept(request) {
  return (await caches.match(request.mode === 'navigate' ? self.registration.scope : request)) ?? Response.error();
}

/** Goes once another page is at this address, as happens on localhost. */
async function leave() {
  if ((await fetch('web.json', {method: 'HEAD'})).status !== 404) return;
  await self.registration.unregister();
  for (const name of await caches.keys()) {
    if (name.startsWith(`${self.registration.scope} `)) await caches.delete(name);
  }
}
