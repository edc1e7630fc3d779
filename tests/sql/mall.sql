-- The mall's shop: decimal amounts, integer statuses, a bigint key, no currency, and names that need their quotes.
CREATE SCHEMA "Mall Data" AUTHORIZATION t_mall_owner;
SET ROLE t_mall_owner;
CREATE TABLE "Mall Data"."Order; List" (
  "Order ID" bigint PRIMARY KEY,
  "st'ate"   integer NOT NULL,
  price      numeric(12, 3) NOT NULL
);
RESET ROLE;
