#include "release/release.h"

#include "test.h"

TEST(every_status_has_a_text_that_leads_back)
{
    for (int s = RELEASE_UNKNOWN; s <= RELEASE_PENDING_ROLLBACK; s++)
        CHECK(release_status_of(str_of(release_status_text(s))) == (enum release_status)s);
    CHECK(release_status_of(STR("elsewhere")) == RELEASE_UNKNOWN);
}
