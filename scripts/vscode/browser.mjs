// The headless browser that the editor tests use: Debian's chromium, or the one that CHROMIUM names.
import { chromium } from 'playwright-core';
import { findCommand } from '../peers/packages.mjs';

export function openBrowser() {
  const executablePath = process.env.CHROMIUM ?? findCommand('chromium') ?? findCommand('google-chrome') ?? findCommand('chrome');
  if (!executablePath) throw new Error("No browser: install Debian's package chromium, or name one in CHROMIUM.");
  return chromium.launch({ executablePath, headless: true, args: ['--no-sandbox', '--disable-dev-shm-usage', '--disable-gpu'] });
}
