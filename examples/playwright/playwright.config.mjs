import { defineConfig } from "@playwright/test";

export default defineConfig({
  testDir: ".",
  workers: 1, // the tests share one instance
  use: {
    // A browser of the system, where Playwright's own cannot be downloaded.
    launchOptions: process.env.CHROMIUM
      ? { executablePath: process.env.CHROMIUM, args: ["--no-sandbox", "--disable-gpu"] }
      : {},
  },
});
