// The headless browser that the editor tests use: Debian's chromium, or the one that CHROMIUM names.
import { chromium } from 'playwright-core';
import { findCommand } from '../peers/packages.mjs';

const args = ['--no-sandbox', '--disable-dev-shm-usage', '--disable-gpu'];

function executablePath() {
  const path = process.env.CHROMIUM ?? findCommand('chromium') ?? findCommand('google-chrome') ?? findCommand('chrome');
  if (!path) throw new Error("No browser: install Debian's package chromium, or name one in CHROMIUM.");
  return path;
}

export function openBrowser() {
  return chromium.launch({ executablePath: executablePath(), headless: true, args });
}
