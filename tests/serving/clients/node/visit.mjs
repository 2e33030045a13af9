// A visit of CUSTOMER with @segment/analytics-node: seen before the login, an order after it. Prints what failed.
import { Analytics } from "@segment/analytics-node";

const { HOST: host, KEY: writeKey, CUSTOMER: userId } = process.env;
const anonymousId = `${userId}-browser`;
const analytics = new Analytics({ host, writeKey, flushInterval: 20 });
const failures = [];
analytics.on("error", (error) => failures.push(String(error.reason ?? error)));

const mug = { product_id: "mug", price: 10 };
analytics.page({ anonymousId, name: "Mug" });
analytics.track({ anonymousId, event: "Product Viewed", properties: mug });
analytics.track({ anonymousId, event: "Product Added", properties: { ...mug, quantity: 2 } });
analytics.identify({ userId, anonymousId, traits: { plan: "pro" } });
const order = { order_id: `${userId}-1`, revenue: 20, total: 24, tax: 4, products: [{ ...mug, quantity: 2 }] };
analytics.track({ userId, event: "Order Completed", properties: order });
await analytics.closeAndFlush({ timeout: 30_000 });

console.log(JSON.stringify(failures));
