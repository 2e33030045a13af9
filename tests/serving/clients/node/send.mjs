// Sends one message of each kind for the customer USER to HOST with @segment/analytics-node, and prints what failed.
import { Analytics } from "@segment/analytics-node";

const { HOST: host, KEY: writeKey, CUSTOMER: userId } = process.env;
const analytics = new Analytics({ host, writeKey, flushInterval: 20, maxRetries: 10, disable: false });
const failures = [];
analytics.on("error", (error) => failures.push(String(error.reason ?? error)));

analytics.identify({ userId, anonymousId: `${userId}-browser`, traits: { plan: "pro" } });
analytics.track({ userId, event: "Order Completed", properties: { revenue: 9.5, order_id: `${userId}-1` } });
analytics.page({ userId, name: "Home", properties: { path: "/" } });
analytics.screen({ userId, name: "Start" });
analytics.group({ userId, groupId: "g1" });
analytics.alias({ userId, previousId: `${userId}-before` });
await analytics.closeAndFlush({ timeout: 30_000 });

console.log(JSON.stringify(failures));
