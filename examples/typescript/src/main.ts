import { MyBalanceDocument, MyPlanDocument } from "../dist/types/graphql.js";
import { ask } from "./tollgate.js";

const url = process.env.TOLLGATE_URL ?? "http://127.0.0.1:8080/graphql";
const token = process.env.TOLLGATE_TOKEN;
if (!token) throw new Error("set TOLLGATE_TOKEN to a user's token, such as the one that the demo prints");

const { viewer: me } = await ask(url, token, MyPlanDocument, {});
const { plan } = me;
console.log(`${me.user?.fullName ?? "You"}: ${plan?.plan?.name ?? "no plan"}, ${plan?.status ?? "no subscription"}`);
const price = plan?.subscription.price;
if (price) console.log(`  ${money(price.amount)} per ${price.interval.toLowerCase()}`);

const { viewer } = await ask(url, token, MyBalanceDocument, { unit: "credit", first: 3 });
const balance = viewer.account?.creditBalance;
console.log(balance ? `${balance.available} ${balance.unit.name} to spend` : "no credits yet");
for (const entry of viewer.account?.ledgerEntries.nodes ?? []) {
  console.log(`  ${entry.recordedAt} ${entry.transaction.operation} ${entry.credits}, then ${entry.balanceAfter}`);
}

/** Minor units as people write them. */
function money({ amount, currency }: { amount: string; currency: string }): string {
  const format = new Intl.NumberFormat("en", { style: "currency", currency });
  const digits = format.resolvedOptions().maximumFractionDigits ?? 2;
  return format.format(Number(amount) / 10 ** digits);
}
