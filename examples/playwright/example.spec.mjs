import { expect, test } from "@playwright/test";
import { changes, enter, unload } from "./scenarios.mjs";

const application = process.env.APPLICATION;
const name = "browser tests";
let instance;

test.beforeEach(async () => {
  instance = await enter("refinement_in_progress", name);
});

test.afterAll(() => unload(name));

test("everybody is there again before each test", async () => {
  expect(instance.people.map((person) => person.handle)).toContain("maya");
  expect((await changes(name)).total).toBe(0);
});

// Skipped before a browser is started: set APPLICATION to the address of the application under test.
const withApplication = application ? test : test.skip;

withApplication("Maya signs in", async ({ page }) => {
  const maya = instance.people.find((person) => person.handle === "maya");
  await page.goto(application);
  await page.getByLabel("E-mail").fill(maya.email);
  await page.getByLabel("Password").fill(maya.password);
  await page.getByRole("button", { name: "Sign in" }).click();
  await expect(page.getByText("Lantern")).toBeVisible();
  // The sign-in is the only thing that was written.
  expect((await changes(name)).counts).toEqual({ "public.users_user": { inserted: 0, updated: 1, deleted: 0 } });
});
