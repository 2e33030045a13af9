// Stands in for Google's gtag.js, which is served by Google alone. It writes what the tag writes: a hit of one event as
// the address of a beacon, hits of several events as lines of its body, products as rows of two-letter fields.
(() => {
  const FIELDS = {
    item_id: "id", item_name: "nm", item_brand: "br", item_category: "ca", item_variant: "va", price: "pr",
    quantity: "qt", coupon: "cp", discount: "ds", item_list_name: "ln", item_list_id: "li", index: "lp",
  };
  const page = Date.now();
  const config = {};
  let stream, count = 0, client = localStorage.getItem("_ga"), waiting = [];
  const first = client === null;
  if (first) localStorage.setItem("_ga", (client = `${Math.floor(Math.random() * 2 ** 31)}.${Math.floor(page / 1000)}`));

  const product = (item) =>
    Object.entries(item).map(([name, value]) => FIELDS[name] + String(value).replaceAll("~", "~~")).join("~");

  function written(name, given) {
    const { items, currency, user_id, server_container_url, ...params } = { ...config, ...given };
    const hit = new URLSearchParams();
    if (currency) hit.set("cu", currency);
    hit.set("en", name);
    if (count === 0 && first) hit.set("_fv", "1");
    if (count === 0) hit.set("_ss", "1");
    hit.set("_ee", "1");
    (items ?? []).forEach((item, number) => hit.set(`pr${number + 1}`, product(item)));
    for (const [key, value] of Object.entries(params)) {
      hit.set(`${typeof value === "number" ? "epn" : "ep"}.${key}`, value);
    }
    hit.set("_et", "12");
    return hit;
  }

  function send() {
    if (waiting.length === 0) return;
    const shared = new URLSearchParams({
      v: "2", tid: stream, gtm: "45je5ca1za200", _p: page, gcd: "13l3l3l3l1l1", npa: "0", dma: "0", cid: client,
      ul: "en-us", sr: "1280x720", _s: ++count, sid: Math.floor(page / 1000), sct: "1", seg: "1",
      dl: location.href, dr: document.referrer, dt: document.title, ...(config.user_id ? { uid: config.user_id } : {}),
    });
    const [hits, several] = [waiting, waiting.length > 1];
    waiting = [];
    const query = several ? `${shared}` : `${shared}&${hits[0]}`;
    const address = `${config.server_container_url}/g/collect?${query}&tfd=${Math.round(performance.now())}`;
    const body = several ? hits.join("\r\n") : "";
    if (!navigator.sendBeacon(address, body)) fetch(address, { method: "POST", body, keepalive: true, mode: "no-cors" });
  }

  const COMMANDS = {
    js: () => {},
    set: (name, values) => Object.assign(config, typeof name === "string" ? { [name]: values } : name),
    config: (id, values) => {
      stream = id;
      Object.assign(config, values);
      COMMANDS.event("page_view", {});
    },
    event: (name, values) => {
      waiting.push(written(name, values));
      setTimeout(send, 50);
    },
  };
  const obey = (given) => COMMANDS[given[0]](...[...given].slice(1));
  addEventListener("pagehide", send);
  window.dataLayer.forEach(obey);
  window.dataLayer.push = (given) => obey(given);
})();
